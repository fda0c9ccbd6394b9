"""`python -m flights`: the demo, from raw flights to a model that was retrained."""

import argparse
import sys

from rich.console import Console
from rich.markup import escape

from driftline.errors import DriftlineError
from flights.airflow_client import AirflowError
from flights.demo import HOME
from flights.story import tell


def main() -> int:
    """Tell the story; 1 when something failed, 130 after a Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m flights", description=__doc__)
    parser.add_argument(
        "--stay",
        action=argparse.BooleanOptionalAction,
        default=sys.stdin.isatty() and sys.stdout.isatty(),
        help="keep Airflow's UI up at the end, until Ctrl-C (the default in a terminal)",
    )
    console = Console()
    try:
        tell(HOME, console, stay=parser.parse_args().stay)
    except (AirflowError, DriftlineError) as error:
        console.print(f"[bold red]The demo failed:[/] {escape(str(error))}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
