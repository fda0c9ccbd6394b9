"""Whether the tests see small faults: mutmut puts them into the code, one at a time.

    python benchmarks/mutants.py             the whole of what decides, a sample of the rest
    python benchmarks/mutants.py --all       every fault in every file: some hours
    python benchmarks/mutants.py --rooms judge store
    python benchmarks/mutants.py --rooms conclusion --share 0.1 --minutes 10 --workers 1

Each room is mutated in a folder of its own under `.mutants`, and tried with the tests that belong
to it. A fault is seen when a test fails, or runs into its limit. What survived is shown, a table of
the rooms comes last, and the exit code is 1 where less than 90% of what was tried in a room were
seen; what may survive is said in `benchmarks/README.md`. To look into one:
`cd .mutants/ROOM && ../../.venv/bin/mutmut show NAME`.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MUTANTS = ROOT / ".mutants"
ENOUGH = 0.9

# What people read is no behaviour: what is raised or logged, lines with three words in a string.
PROSE = (r"raise \w+\(", r"log\.\w+\(", r'"[^"]* [^"]* [^"]*"')

# What has run before a mutant is chosen, or is loaded by its path.
AT_IMPORT = ("tables.py", "migrations/*")

# Each mutant is a session of pytest's; without these it takes less than half as long.
WITHOUT = ("cacheprovider", "unraisableexception", "threadexception", "warnings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Files that are mutated, and the tests that are to see it."""

    whole: tuple[str, ...] = ()
    sampled: tuple[str, ...] = ()
    """Of these, `share` of the mutants are tried."""
    share: float = 0.1
    tests: tuple[str, ...]
    chosen: str = "not (postgresql or hundred_thousand or one_deadline or takes_long)"
    """By pytest's -k: a server would be started for each mutant, and clocks lie under load."""


ROOMS = {
    "judge": Room(whole=("judge.py",), tests=("test_judge.py", "flow/test_estimates.py")),
    "conclusion": Room(whole=("flow/conclusion.py",), tests=("flow/test_conclusion.py",)),
    "alerts": Room(
        whole=("alerts/incidents.py", "alerts/silence.py"),
        sampled=("alerts/delivery.py", "alerts/http.py", "alerts/notice.py", "alerts/slack.py"),
        tests=("alerts",),
    ),
    "gate": Room(whole=("retraining/gate.py",), tests=("retraining/test_gate.py",)),
    "retraining": Room(
        sampled=tuple(
            f"retraining/{name}.py"
            for name in (
                "admission",
                "promoted_reference",
                "registry",
                "request",
                "steps",
                "training",
            )
        ),
        tests=("retraining/test_registry.py", "retraining/test_steps.py"),
    ),
    "pipeline": Room(sampled=("flow/pipeline.py",), tests=("flow/test_pipeline.py",)),
    "store": Room(
        sampled=("store/*.py",),
        tests=(
            "store",
            "flow/test_conclusion.py",
            "flow/test_pipeline.py",
            "alerts/test_delivery.py",
        ),
    ),
}


def laid_out(name: str, room: Room) -> Path:
    """Return the folder that mutmut runs in: `src` is include, else it would be a package."""
    folder = MUTANTS / name
    (folder / "mutants" / "src").mkdir(parents=True, exist_ok=True)  # Python looks for it only once
    for link, target in (("src", "include"), ("tests", "tests"), ("pyproject.toml",) * 2):
        (folder / link).unlink(missing_ok=True)
        (folder / link).symlink_to(ROOT / target)
    lists = {
        "source_paths": ["src"],
        "only_mutate": [f"src/driftline/{path}" for path in (*room.whole, *room.sampled)],
        "do_not_mutate": [f"src/driftline/store/{path}" for path in AT_IMPORT],
        "do_not_mutate_patterns": PROSE,
        "pytest_add_cli_args": ["-k", room.chosen, *(f"-pno:{name}" for name in WITHOUT)],
        "pytest_add_cli_args_test_selection": [f"tests/{path}" for path in room.tests],
    }
    lines = (f"{key} =\n    " + "\n    ".join(values) for key, values in lists.items())
    (folder / "setup.cfg").write_text("[mutmut]\n" + "\n".join(lines) + "\n")
    return folder


def tried(folder: Path, room: Room, seed: int, share: float | None) -> list[str]:
    """Return the names of the mutants to try: all of what is whole, a share of the rest; where a
    share is given, it of everything.
    """
    os.chdir(folder)
    from mutmut.configuration import reset_config
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.file_utils import walk_mutatable_files
    from mutmut.utils.format_utils import get_mutant_name

    reset_config()
    whole, rest = [], []
    for path in sorted(walk_mutatable_files()):
        own = mutate_file_contents(str(path), path.read_text()).mutant_names
        listed = share is None and str(path).removeprefix("src/driftline/") in room.whole
        (whole if listed else rest).extend(get_mutant_name(path, n) for n in own)
    size = round((room.share if share is None else share) * len(rest))
    return whole + sorted(random.Random(seed).sample(rest, size))


def mutmut(folder: Path, *arguments: str, seconds: float | None = None) -> str:
    """Return what mutmut prints; when time is over, what it has found by then stands."""
    # What the tests start in processes of its own is the mutant, too.
    environment = os.environ | {
        "PYTHONPATH": str(folder / "mutants" / "src"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_interruptible,
    ) as running:
        try:
            said, _ = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGINT)
            said, _ = running.communicate()
            return said
    if running.returncode:
        raise SystemExit(f"mutmut failed in {folder}:\n{said[-3000:]}")
    return said


def _interruptible() -> None:
    """Let an interrupt reach mutmut, also where a shell that runs it behind has shut it out."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def outcomes(folder: Path, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what came of each mutant that was tried."""
    asked = set(names)
    for line in mutmut(folder, "results", "--all", "true").splitlines():
        name, _, status = line.strip().partition(": ")
        if name in asked:
            yield name, status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        "--all", dest="share", action="store_const", const=1.0, help="try every mutant"
    )
    how_many.add_argument("--share", type=float, help="try so many of all: 0.1 is a tenth")
    parser.add_argument("--minutes", type=float, help="a room: what is left then is not tried")
    parser.add_argument("--seed", type=int, default=13, help="of the samples")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    seconds = None if options.minutes is None else 60 * options.minutes
    table = []
    for name in options.rooms:
        room, began = ROOMS[name], time.monotonic()
        folder = laid_out(name, room)
        names = tried(folder, room, options.seed, options.share)
        workers = ("--max-children", str(options.workers))
        mutmut(folder, "run", *workers, *names, seconds=seconds)
        found = dict(outcomes(folder, names))
        told(folder, found)
        table.append((name, Counter(found.values()), time.monotonic() - began))
    print(f"{'room':12}{'tried':>8}{'seen':>8}{'unseen':>8}{'left':>8}{'share':>8}{'minutes':>9}")
    for name, counts, took in table:
        left, unseen = counts["not checked"], sum(counts[status] for status in UNSEEN)
        done = counts.total() - left
        print(
            f"{name:12}{done:8}{done - unseen:8}{unseen:8}{left:8}"
            f"{_seen(counts):8.1%}{took / 60:9.1f}"
        )
    raise SystemExit(any(_seen(counts) < ENOUGH for _, counts, _ in table))


UNSEEN = ("survived", "no tests")


def _seen(counts: Counter[str]) -> float:
    """Return the share of the mutants that were tried which a test saw; 0 where none was tried."""
    done = counts.total() - counts["not checked"]
    return 1 - sum(counts[status] for status in UNSEEN) / done if done else 0.0


def told(folder: Path, found: dict[str, str]) -> None:
    """Print what came of a room's mutants, a line a file, and those that nothing saw."""
    files: dict[str, Counter[str]] = {}
    for mutant, status in found.items():
        files.setdefault(mutant.rpartition(".")[0], Counter())[status] += 1
    for file, counts in files.items():
        said = ", ".join(f"{count} {status}" for status, count in counts.most_common())
        print(f"{file}: {counts.total()} mutants: {said}", flush=True)
    for mutant, status in found.items():
        if status in UNSEEN:
            print(mutmut(folder, "show", mutant), flush=True)


if __name__ == "__main__":
    main()
