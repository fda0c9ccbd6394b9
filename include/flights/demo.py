"""Prepares the demo: trains the first champion and writes the logs that driftline watches."""

from datetime import UTC, date, datetime
from pathlib import Path

from flights import data, logs
from flights.registry import Champion, load_champion, promote
from flights.training import train

HOME = Path(".demo")
TRAINED_FROM = datetime(2013, 1, 1, tzinfo=UTC)
TRAINED_UNTIL = datetime(2013, 3, 1, tzinfo=UTC)

# The champion learned from January and February, so what it says of February is in-sample: it was
# not yet in service. Those rows are logged to fill the seven-day windows that end by 03-07; the
# reference and every later window hold none of them.
START = date(2013, 2, 1)
END = date(2013, 5, 1)


def models(home: Path) -> Path:
    """Return the folder of the demo's models."""
    return home / "artifacts" / "flight_delay" / "models"


def prepare(home: Path = HOME, start: date = START, end: date = END) -> None:
    """Train the champion and write the logs of the days `[start, end)` of 2013 below `home`."""
    rows = data.predictions(data.tables())
    asked = data.between(rows, "predicted_at", TRAINED_FROM, TRAINED_UNTIL)
    known = data.between(asked, "labelled_at", TRAINED_FROM, TRAINED_UNTIL)
    promote(models(home), Champion(version=f"v{TRAINED_UNTIL:%Y-%m-%d}", model=train(known)))
    logs.write(home, load_champion(models(home)), rows, start, end)
