"""The store: driftline's own tables, and the only SQL that changes anything.

Every function takes a SQLAlchemy `Connection`, so that a caller can put several writes into one
transaction of `Store.begin`: a measurement, its verdict and the message about it, or none of them.
"""

from driftline.store.engine import Store, open_store, revision, store_url, upgrade, upgrade_sql

__all__ = ["Store", "open_store", "revision", "store_url", "upgrade", "upgrade_sql"]
