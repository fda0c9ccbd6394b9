"""The rooms import one way only, and what is heavy is loaded by who uses it."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "include" / "driftline"

LEVELS = [
    {"printable", "domain", "metrics", "hidden"},
    {"errors", "stats"},
    {"monitor", "child"},
    {"connections", "profile", "judge"},
    {"warehouse", "store"},
    {"suites", "alerts"},
    {"retraining", "why"},
    {"flow"},
    {"run", "tasks"},
    {"cli", "orchestration", "warm", "provider"},
]
"""A room imports from rooms of lines above its own, and from itself."""

ONLY_IN = {
    "great_expectations": {"suites/quality.py"},
    "evidently": {"suites/evidently.py"},
    "httpx": {"alerts/http.py"},
    "airflow": {"orchestration"},
}

HEAVY = {"pandas", "great_expectations", "evidently", "sklearn", "scipy", "httpx", "alembic"}


def files() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: str) -> str:
    return path.removesuffix(".py").split("/")[0]


def level(name: str) -> int:
    return next(number for number, rooms in enumerate(LEVELS) if name in rooms)


def test_every_room_has_its_level() -> None:
    found = {room(path) for path, _ in files()} - {"__init__"}
    assert found <= set().union(*LEVELS), "give a new room its place in LEVELS"


def modules(tree: ast.AST) -> Iterator[str]:
    """Yield the modules of driftline that one imports, as paths without their ending."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, *path = name.split(".")
            while package == "driftline" and path:
                if (PACKAGE / "/".join(path)).with_suffix(".py").exists():
                    yield "/".join(path)
                    break
                if (PACKAGE / "/".join(path)).is_dir():
                    yield "/".join([*path, "__init__"])
                    break
                path.pop()


def climbs(code: Iterable[tuple[str, ast.AST]]) -> list[str]:
    """Return the imports that do not go down: to a room beside or above its own."""
    return [
        f"{path} imports {name}"
        for path, tree in code
        if path != "__init__.py"
        for name in modules(tree)
        if room(path) != room(name) and level(room(name)) >= level(room(path))
    ]


def circle(code: Iterable[tuple[str, ast.AST]]) -> list[str]:
    """Return modules that import each other in a circle, the first once more at its end, or none.

    A module is not its own circle, and the package's version is everybody's.
    """
    own = {path.removesuffix(".py"): tree for path, tree in code}
    arrows = {name: {*modules(tree)} - {name, "__init__"} for name, tree in own.items()}
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_rooms_import_one_way() -> None:
    assert climbs(files()) == []


def test_no_modules_import_each_other() -> None:
    assert circle(files()) == []


def test_what_climbs_and_what_goes_in_a_circle_is_seen() -> None:
    def code(**lines: str) -> list[tuple[str, ast.AST]]:
        return [
            (name.replace("_in_", "/") + ".py", ast.parse(line)) for name, line in lines.items()
        ]

    down = code(flow_in_watch="from driftline.retraining import gate")
    up = code(retraining_in_gate="from driftline.flow.watch import Watch")
    beside = code(run="from driftline import tasks")
    assert climbs(down) == []
    assert climbs([*down, *up]) == ["retraining/gate.py imports flow/watch"]
    assert climbs(beside) == ["run.py imports tasks"]
    assert circle([*down, *beside]) == []
    first, *found = circle([*down, *up, *beside])
    assert sorted(found) == ["flow/watch", "retraining/gate"]
    assert first == found[-1]


def test_a_library_that_could_be_replaced_is_imported_in_one_place() -> None:
    wrong = []
    for path, tree in files():
        for name in imports(tree):
            allowed = ONLY_IN.get(name.split(".")[0])
            if allowed and not any(path == place or room(path) == place for place in allowed):
                wrong.append(f"{path} imports {name}")
    assert wrong == []


def test_heavy_libraries_are_imported_inside_functions() -> None:
    wrong = []
    for path, tree in files():
        if "/migrations/" in path:
            continue  # Alembic runs these; they are loaded by it
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                wrong += [f"{path}: {n}" for n in imports(node) if n.split(".")[0] in HEAVY]
    assert wrong == []


@pytest.mark.parametrize(
    "module", ["driftline", "driftline.monitor.file", "driftline.cli", "driftline.flow.pipeline"]
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*(set(sys.modules) & {HEAVY!r}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []


def test_a_fork_server_is_warmed_without_a_word() -> None:
    """The engines and what they need are loaded, and say nothing into the scheduler's log."""
    code = f"import sys, driftline.warm; print(*({HEAVY!r} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(said.stdout.split()) >= {"pandas", "great_expectations", "evidently", "sklearn"}
    assert len(said.stdout.splitlines()) == 1
    assert said.stderr == ""


def test_what_airflow_reads_of_us_while_it_is_imported_imports_no_airflow() -> None:
    code = (
        "import importlib.metadata as m, sys\n"
        "points = m.distribution('driftline').entry_points\n"
        "(ours,) = points.select(group='apache_airflow_provider')\n"
        "assert ours.load()()['package-name'] == 'driftline'\n"
        "print('airflow' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_the_plugin_that_airflow_loads_in_every_process_loads_little_of_us() -> None:
    code = (
        "import sys, airflow.sdk.plugins_manager\n"
        "import importlib.metadata as m\n"
        "(ours,) = m.distribution('driftline').entry_points.select(group='airflow.plugins')\n"
        "assert ours.load().name == 'driftline'\n"
        "print(*sorted(name for name in sys.modules if name.startswith('driftline')))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == [
        "driftline",
        "driftline.orchestration",
        "driftline.orchestration.plugin",
        "driftline.provider",
    ]
