"""The world of the demo: a first champion, and the logs that whoever is champion leaves."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.retraining.registry import Registry, Version
from flights import data, logs
from flights.training import train

if TYPE_CHECKING:
    import pandas as pd

HOME = Path(".demo")
TRAINED_FROM = datetime(2013, 1, 1, tzinfo=UTC)
TRAINED_UNTIL = datetime(2013, 3, 1, tzinfo=UTC)

# The champion learned from January and February, so what it says of February is in-sample: it was
# not yet in service. Those rows are logged to fill the seven-day windows that end by 03-07, and are
# what a challenger may be trained on; the reference and every later window hold none of them.
START = date(2013, 2, 1)
END = date(2013, 5, 1)


def models(home: Path) -> Registry:
    """Return the demo's models."""
    return Registry(home / "artifacts" / "flight_delay" / "models")


def prepare(home: Path = HOME, start: date = START, end: date = END) -> "pd.DataFrame":
    """Train the champion, write the logs of the days `[start, end)` of 2013, return all flights."""
    rows = data.predictions(data.tables())
    found_first_champion(home, rows)
    serve(home, rows, start, end)
    return rows


def found_first_champion(home: Path, rows: "pd.DataFrame") -> Version:
    """Train on January and February, and put the model into service."""
    asked = data.between(rows, "predicted_at", TRAINED_FROM, TRAINED_UNTIL)
    known = data.between(asked, "labelled_at", TRAINED_FROM, TRAINED_UNTIL)
    registry = models(home)
    version = registry.register(f"v{TRAINED_UNTIL:%Y-%m-%d}", train(known))
    registry.promote(version)
    return version


def serve(home: Path, rows: "pd.DataFrame", start: date, end: date) -> None:
    """Write the logs of the days `[start, end)`, scored by who is champion now."""
    registry = models(home)
    champion = registry.champion()
    if champion is None:
        raise LookupError(f"{registry.folder} holds no champion")
    logs.write(home, champion.name, registry.load(champion), rows, start, end)
