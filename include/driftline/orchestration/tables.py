"""The page of a monitor's numbers as HTML: names and values of the data are text in it."""

from collections.abc import Iterable
from html import escape
from typing import Any

from driftline.printable import printable


def page(title: str, body: Iterable[str]) -> str:
    """Return a whole page under this title; the body is HTML."""
    shown = _cell(title)
    inside = "\n".join([f"<h1>{shown}</h1>", *body])
    return _PAGE.format(title=shown, style=_STYLE, body=inside)


def table(heads: tuple[str, ...], rows: list[tuple[Any, ...]], empty: str) -> str:
    """Return a table whose first cell of a row gives the row its colour."""
    if not rows:
        return f"<p>{_cell(empty)}</p>"
    lines = ["<table><tr>", *(f"<th>{_cell(head)}</th>" for head in heads), "</tr>"]
    for row in rows:
        cells = "".join(f"<td>{_cell(value)}</td>" for value in row)
        lines.append(f'<tr class="{_cell(row[0])}">{cells}</tr>')
    return "".join([*lines, "</table>"])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return escape("" if value is None else printable(str(value)), quote=True)


_STYLE = """\
body { font: 14px/1.45 system-ui, sans-serif; margin: 24px 32px; color: #1c2733; background: #fff; }
h1 { font-size: 22px; margin: 0 0 8px; } h2 { font-size: 16px; margin: 26px 0 8px; }
table { border-collapse: collapse; } th { text-align: left; color: #5b6875; font-weight: 500; }
th, td { padding: 4px 14px 4px 8px; border-bottom: 1px solid #e6ebf0; vertical-align: top; }
tr td:first-child { border-left: 4px solid transparent; }
tr.critical td:first-child { border-left-color: #c62828; color: #c62828; }
tr.warn td:first-child { border-left-color: #f0a030; color: #8a4b00; }
tr.ok td:first-child, tr.promoted td:first-child { border-left-color: #4caf6a; }
"""
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{title} · driftline</title><style>{style}</style></head><body>{body}</body></html>"""
