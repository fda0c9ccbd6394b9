"""Runs the migrations in the transaction of `engine.upgrade`, or writes them down as SQL."""

from alembic import context

from driftline.store.engine import VERSION_TABLE

connection = context.config.attributes.get("connection")
if connection is None:
    url = context.config.attributes["url"]
    context.configure(
        dialect_name=url.get_backend_name(),
        literal_binds=True,
        transactional_ddl=True,
        version_table=VERSION_TABLE,
    )
else:
    context.configure(connection=connection, version_table=VERSION_TABLE)

with context.begin_transaction():
    context.run_migrations()
