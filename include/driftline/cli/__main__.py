"""`python -m driftline.cli`."""

from driftline.cli import main

main(prog_name="driftline")
