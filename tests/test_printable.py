"""Words that people read: counts agree with what they count."""

import ast
import re

import pytest

from driftline.printable import amount
from tests.test_boundaries import files

_COUNTED = re.compile(
    r" (\w+ )?(rows|labels|values|predictions|columns|steps|runs|windows|messages|verdicts|"
    r"features|faults|files|numbers|hours|days|incidents|rules|categories|monitors)\b|\w*\(s\)"
)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234567, "1,234,567 rows")]
)
def test_a_count_agrees_with_its_noun(number: int, said: str) -> None:
    assert amount(number, "row") == said


def test_no_message_counts_by_itself() -> None:
    """`{rows:,} rows` says "1 rows" some day: `amount` says it right."""
    wrong = []
    for path, tree in files():
        for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
            for count, words in zip(text.values, text.values[1:], strict=False):
                if not (isinstance(count, ast.FormattedValue) and isinstance(words, ast.Constant)):
                    continue
                spec = ast.unparse(count.format_spec) if count.format_spec else ""
                number = "," in spec or ast.unparse(count.value).startswith(("len(", "int("))
                fixed = isinstance(count.value, ast.Name) and count.value.id.isupper()
                if number and not fixed and _COUNTED.match(str(words.value)):
                    wrong.append(f"{path}:{text.lineno}: {ast.unparse(text)[:90]}")
    assert not wrong, "\n".join(wrong)
