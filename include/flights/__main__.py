"""`python -m flights`: the demo, from raw flights to the message."""

import sys

from rich.console import Console

from flights.demo import HOME
from flights.story import tell

if __name__ == "__main__":
    conclusions = tell(HOME, Console())
    sys.exit(any(conclusion.errors for conclusion in conclusions))
