"""Takes one step of a retraining in another Python than Airflow's.

python -m driftline.retraining '{"do": "challenge", "monitor": path, "as_of": ..., "run_id": ...}'
"""

import logging
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from driftline.child import obey
from driftline.errors import InputError
from driftline.monitor import file as monitor_file
from driftline.retraining import steps

STEPS = {
    "challenge": steps.challenge,
    "gate": steps.gate,
    "refit": steps.refit,
    "promote": steps.promote,
}
"""Those that need the model, and so the libraries that it is made of."""


def _take(asked: Mapping[str, Any]) -> str:
    if asked["do"] not in STEPS:
        raise InputError(f"no step {asked['do']!r}; there are: {', '.join(STEPS)}")
    row = STEPS[asked["do"]](
        monitor_file.load(asked["monitor"]),
        datetime.fromisoformat(asked["as_of"]),
        run_id=asked["run_id"],
    )
    return row.decision


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(obey(sys.argv[1], _take))
