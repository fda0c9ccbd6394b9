"""One self-contained HTML page around an engine's widgets, in which data cannot become code.

Three walls stand between a hostile column name and the reader's browser: `plain` takes the
characters that start markup out of every text before an engine draws it; the data stand in
inert JSON blocks in which no `<` is left; and a Content-Security-Policy lets exactly our three
scripts run, by their digests, and nothing be fetched.
"""

import base64
import hashlib
import html
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from driftline.printable import printable

_LONGEST = 60
_MARKUP = str.maketrans({"<": "‹", ">": "›", "`": "ˋ"})  # noqa: RUF001 (lookalikes on purpose)
_ENTITY = re.compile(r"&(?=#?\w+;)")
_ACTING = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Unicode's categories of controls, marks that turn or hide text, and line ends."""
_SCHEME = re.compile(r"(?i)\b(javascript|vbscript|data)\s*:")

_BOOT = """\
const read = (id) => JSON.parse(document.getElementById(id).textContent);
window.drawDashboard(read("dashboard"), new Map(Object.entries(read("graphs"))), "root");
"""
_GLOBAL = "var global = globalThis;"

_STYLE = """\
body { margin: 0; font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: #1c2733; }
header { padding: 28px 32px 22px; border-bottom: 1px solid #dfe4ea; background: #f7f9fb; }
header h1 { margin: 0 0 2px; font-size: 22px; font-weight: 600; }
header p { margin: 0 0 16px; color: #5b6875; }
header dl { display: flex; flex-wrap: wrap; gap: 14px 36px; margin: 0; }
header dt { font-size: 12px; color: #5b6875; }
header dd { margin: 2px 0 0; font-size: 15px; }
header ol { margin: 18px 0 0; padding: 0; list-style: none; font-size: 14px; }
header ol li { padding: 5px 0; }
header b { display: inline-block; min-width: 96px; padding: 2px 8px; margin-right: 10px; border-radius: 4px;
  font-size: 12px; font-weight: 600; text-align: center; background: #e6ebf0; }
header b.critical { background: #c62828; color: #fff; }
header b.warn { background: #ffc46b; }
header b.ok { background: #cdebd3; }
header section { margin: 18px 0 0; max-width: 900px; font-size: 14px; }
header h2 { margin: 0 0 4px; font-size: 15px; font-weight: 600; }
header section p { margin: 0 0 6px; color: #1c2733; }
header section ol { margin: 0; padding-left: 20px; list-style: decimal; }
header section li { padding: 2px 0; }
header ul { margin: 16px 0 0; padding-left: 18px; color: #8a4b00; font-size: 14px; }
.material-icons { font-family: "Material Icons"; font-size: 24px; line-height: 1; display: inline-block;
  white-space: nowrap; direction: ltr; -webkit-font-smoothing: antialiased; }
"""  # noqa: E501


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the page says before any chart: which model, which window, measured on what."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    """What rules say of the window: (outcome, words)."""
    why: tuple[str, ...] = ()
    """Why performance fell: the fall, then the causes."""
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = "".join(
            f'<li><b class="{_safe(outcome)}">{_safe(outcome.replace("_", " "))}</b>'
            f"{_safe(words)}</li>"
            for outcome, words in self.said
        )
        facts = "".join(f"<div><dt>{_safe(k)}</dt><dd>{_safe(v)}</dd></div>" for k, v in self.facts)
        remarks = "".join(f"<li>{_safe(remark)}</li>" for remark in self.remarks)
        why = ""
        if self.why:
            causes = "".join(f"<li>{_safe(cause)}</li>" for cause in self.why[1:])
            ranked = f"<ol>{causes}</ol>" if causes else ""
            why = f"<section><h2>Why it fell</h2><p>{_safe(self.why[0])}</p>{ranked}</section>"
        return (
            f"<header><h1>{_safe(self.title)}</h1><p>{_safe(self.subtitle)}</p>"
            f"<dl>{facts}</dl>{f'<ol>{said}</ol>' if said else ''}{why}"
            f"{f'<ul>{remarks}</ul>' if remarks else ''}</header>"
        )


def plain(text: object) -> str:
    """Return a text that no renderer can take for markup, a link or a control, cut at 60 signs.

    >>> "<" in plain("<img src=x onerror=alert(1)>")
    False
    """
    signs = (sign for sign in str(text) if unicodedata.category(sign) not in _ACTING)
    clean = _ENTITY.sub("＆", "".join(signs).translate(_MARKUP))  # noqa: RUF001
    clean = _SCHEME.sub("\\1\u2236", clean).strip()
    return clean if len(clean) <= _LONGEST else clean[: _LONGEST - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """An engine's charts: the script `library` draws the `dashboard` and its `graphs`."""

    dashboard: Any
    graphs: Any
    library: str
    font: bytes

    @property
    def scripts(self) -> tuple[str, ...]:
        """The scripts that run, in order."""
        return _GLOBAL, self.library, _BOOT

    @property
    def style(self) -> str:
        """The font of the charts' icons."""
        icons = base64.b64encode(self.font).decode()
        return (
            '@font-face { font-family: "Material Icons"; '
            f"src: url(data:font/woff2;base64,{icons}); }}\n"
        )

    def __str__(self) -> str:
        run = "\n".join(f"<script>{script}</script>" for script in self.scripts)
        return (
            f'<script type="application/json" id="dashboard">{_inert(self.dashboard)}</script>\n'
            f'<script type="application/json" id="graphs">{_inert(self.graphs)}</script>\n'
            f'<div id="root"></div>\n{run}\n'
        )


def render(header: Header, drawing: Drawing | None) -> str:
    """Return the page: the header, and the charts where there are any."""
    digests = " ".join(f"'sha256-{_digest(each)}'" for each in (drawing.scripts if drawing else ()))
    allowed = digests or "'none'"
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_safe(header.title)} {_safe(header.subtitle)}</title>
<style>{drawing.style if drawing else ""}{_STYLE}</style>
</head>
<body>
{header}
{drawing or ""}</body>
</html>
"""


def _safe(text: str) -> str:
    return html.escape(printable(text), quote=True)


def _inert(value: Any) -> str:
    """Return JSON in which nothing can end its script element: `<` is written as an escape."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
