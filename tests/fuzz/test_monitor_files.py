"""Monitor files that are cut, doubled and bent by chance are monitors, or faults with a place."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from driftline import monitor_file
from driftline.config import Monitor
from driftline.errors import ConfigError

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def without_lines(text: str, chance: random.Random) -> str:
    """Return a file that has lost some of its lines."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.randint(1, 4)):
        del lines[chance.randrange(len(lines))]
    return "".join(lines)


def mutated(number: int) -> Iterator[str]:
    chance = random.Random(9)
    for _ in range(number):
        yield without_lines(chance.choice(FILES), chance)


def test_a_file_is_a_monitor_or_a_fault(tmp_path: Path, many: Callable[[int, int], int]) -> None:
    path = tmp_path / "mutated.yaml"
    for text in mutated(many(300, 10_000)):
        path.write_text(text, encoding="utf-8")
        assert read(path), text


def read(path: Path) -> Monitor | ConfigError:
    try:
        return monitor_file.load(path)
    except ConfigError as error:
        return error
