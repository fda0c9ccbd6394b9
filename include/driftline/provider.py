"""What Airflow shows of driftline among its providers.

Airflow reads it while it is itself being imported, so nothing here may import Airflow: this is why
it does not stand in `orchestration/`.
"""

from typing import Any

from driftline import __version__


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, in the form of Airflow's schema."""
    return {
        "package-name": "driftline",
        "name": "driftline",
        "description": "Monitors machine-learning models from the logs in the warehouse.",
        "versions": [__version__],
    }
