"""The page of numbers: what stands in it is text, whatever it is."""

from driftline.orchestration.tables import page, table

ATTACK = "<img src=x onerror='window.pwned = 1'> & \" \x1b[2J"


def test_every_cell_is_text() -> None:
    html = page(ATTACK, [table((ATTACK, "value"), [(ATTACK, ATTACK), ("warn", 0.123456)], "")])
    html += table(("a",), [], ATTACK)
    assert "<img" not in html
    assert "\x1b" not in html
    # Title and heading, a head, the row's class and its two cells, and what is said of no rows.
    assert html.count("&lt;img src=x onerror=&#x27;") == 2 + 1 + 3 + 1
    assert '<tr class="&lt;img' in html
    assert '<tr class="warn"><td>warn</td><td>0.1235</td></tr>' in html


def test_numbers_are_short_and_nothing_is_empty() -> None:
    assert "<td>12,345</td><td></td>" in table(("a", "b"), [(12_345, None)], "")
