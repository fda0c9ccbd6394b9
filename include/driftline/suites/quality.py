"""Data quality: counts of the warehouse, and Great Expectations. Nothing else imports it."""

import difflib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import URL, TextClause, create_engine, event
from sqlalchemy import Engine as Connectable
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from driftline.connections import shown
from driftline.domain import ColumnKind, Engine, Measurement, Scope, Suite, WindowStatistics
from driftline.errors import SuiteError, WarehouseError
from driftline.monitor.sections import Expectation
from driftline.printable import amount
from driftline.suites.engines import FAILURES, engine, importing, unable, words
from driftline.suites.expectations import BETWEEN, NOT_NULL, default_expectations
from driftline.suites.page import plain
from driftline.suites.times import bounds, in_seconds
from driftline.suites.times import shown as as_time
from driftline.warehouse import Logs
from driftline.warehouse.caller import Caller, sign
from driftline.warehouse.dialects import postgresql
from driftline.warehouse.dialects.base import dialect_of
from driftline.warehouse.failures import too_long

__all__ = ["default_expectations", "measure", "unknown_types", "validate"]

_NAME = "Great Expectations"
_IN_SQL = ("postgresql", "sqlite")
_OF_NUMBERS = (
    NOT_NULL,
    BETWEEN,
    "expect_column_values_to_be_null",
    "expect_column_value_z_scores_to_be_less_than",
    *(
        f"expect_column_{statistic}_to_be_between"
        for statistic in ("min", "max", "mean", "median", "sum", "stdev", "quantile_values")
    ),
)
"""What is asked of the length of a text, and of an age."""
_SPACES = [sign for sign in map(chr, range(0x3001)) if sign.isspace()]
_EXAMPLES, _LONGEST = 3, 40
UNEVALUATED = "it cannot be evaluated"
"""How the reason of an expectation begins that Great Expectations has no answer to."""


def measure(scope: Scope, statistics: WindowStatistics, timeless: int = 0) -> list[Measurement]:
    """Return the window's `row_count` and the `null_share` of each of its columns.

    The row count says how many rows are `timeless`, and therefore in no window.
    """

    def of(metric: str, value: float | None, **rest: Any) -> Measurement:
        return scope.measurement(
            Suite.QUALITY, metric, value, engine=Engine.SQL, row_count=statistics.rows, **rest
        )

    more = amount(timeless, "more row of the log has", "more rows of the log have")
    no_time = f"{more} no time that can be read"
    return [of("row_count", statistics.rows, reason=no_time if timeless else "")] + [
        of(
            "null_share",
            statistics.null_share(name),
            column_name=name,
            reason="" if statistics.rows else "no rows",
        )
        for name in statistics.columns
    ]


def unknown_types(expectations: Iterable[Expectation]) -> list[str]:
    """Return what Great Expectations does not know or take, one sentence each, best guess first.

    It drops an expectation whose type it does not know without a word.
    """
    problems = []
    for each in expectations:
        try:
            _built(in_seconds(each, "UTC"))
        except SuiteError as error:
            problems.append(str(error))
    return problems


def unanswered(scope: Scope, logs: Logs, columns: Mapping[str, ColumnKind], rows: int) -> list[str]:
    """Return the file's expectations that cannot be evaluated on a window's rows, and why."""
    quality = logs.monitor.quality
    return [
        f"quality.{found.metric}: {found.reason}"
        + (f" ({found.column_name})" * bool(found.column_name))
        for found in validate(scope, quality, logs, columns, rows)
        if found.reason.startswith(UNEVALUATED)
    ]


def validate(
    scope: Scope,
    expectations: Sequence[Expectation],
    logs: Logs,
    columns: Mapping[str, ColumnKind],
    rows: int,
) -> list[Measurement]:
    """Return 1.0 or 0.0 for each expectation of the window, which holds so many `rows`.

    In SQL where the warehouse is PostgreSQL or SQLite, nothing but SELECTs; elsewhere on at most
    `drift.rows` rows. What cannot be evaluated has no value and a reason, as has everything where
    Great Expectations is not installed; what the monitor's own file asks for in vain is 0.0. Raises
    SuiteError for an expectation that Great Expectations does not know, WarehouseError when the
    warehouse fails.

    Of a text or a timestamp, nulls, ranges and means are those of its length or age; all else is
    asked of what is logged. Ranges whose bounds are times are asked of the times themselves.
    """
    distinct = {(each.type, each.column, each.detail): each for each in reversed(expectations)}
    asked = list(reversed(distinct.values()))
    try:
        load()
    except FAILURES as error:
        reason = unable(error, scope.window)
        return [_measured(scope, each, None, rows, reason) for each in asked]
    zone = logs.monitor.predictions.timezone
    built = [_built(in_seconds(each, zone)) for each in asked]
    there = _kinds(logs, {name for each in asked for name in each.columns}, columns)
    found: dict[int, tuple[float | None, str]] = {}
    runnable = {}
    for place, each in enumerate(asked):
        absent = [name for name in each.columns if name not in there]
        if absent:
            found[place] = 0.0, f"{', '.join(map(plain, absent))} is not in the log"
        elif each.columns and not rows:
            found[place] = None, "no rows"
        else:
            runnable[place] = built[place]
    kinds = {name: there[name] for p in runnable for name in asked[p].columns} | dict(columns)
    measured = rows
    for part, own in _forms(asked, runnable, kinds):
        run = _in_sql if logs.dialect in _IN_SQL else _on_frame
        results, measured = _alone(run, scope, logs, own, part, rows)
        features = logs.monitor.features
        for place in part:
            found[place] = _told(
                results.get(place),
                asked[place],
                secret=any(map(features.hides, asked[place].columns)),
                discreet=bool(features.sensitive),
                times=own.get(asked[place].column) is ColumnKind.INSTANT,
            )
    lost = {place: why for place, (_, why) in found.items() if why.startswith(UNEVALUATED)}
    for reason in dict.fromkeys(lost.values()):
        unable(SuiteError(reason), scope.window)
    if any(value is not None for value, _ in found.values()):  # else it is the engine that is lost
        found |= {p: (0.0, why) for p, why in lost.items() if asked[p] in logs.monitor.quality}
    sample = f"on {measured:,} of {amount(rows, 'row')}" if measured < rows else ""
    return [
        _measured(
            scope,
            each,
            value,
            measured if each.column else rows,
            "; ".join(filter(None, (reason, sample if each.column else ""))),
        )
        for each, (value, reason) in ((asked[p], found[p]) for p in range(len(asked)))
    ]


def _forms(
    asked: Sequence[Expectation], runnable: Mapping[int, Any], kinds: Mapping[str, ColumnKind]
) -> Iterator[tuple[dict[int, Any], dict[str, ColumnKind]]]:
    """Yield the expectations that are asked of numbers, of what is logged and of times, each with
    the form in which their columns are read.
    """
    forms: tuple[dict[int, Any], ...] = ({}, {}, {})
    instants = {}
    for place, each in runnable.items():
        expectation = asked[place]
        if bounds(expectation):
            instants[expectation.column] = ColumnKind.INSTANT
            forms[2][place] = each
        else:
            words = expectation.type not in _OF_NUMBERS
            forms[words and any(kinds[n].counted for n in expectation.columns)][place] = each
    logged = {n: ColumnKind.CATEGORICAL if k.counted else k for n, k in kinds.items()}
    read = dict(kinds), logged, instants
    yield from ((part, own) for part, own in zip(forms, read, strict=True) if part)


def _measured(
    scope: Scope, expectation: Expectation, value: float | None, rows: int, reason: str
) -> Measurement:
    return scope.measurement(
        Suite.QUALITY,
        expectation.type,
        value,
        engine=Engine.GREAT_EXPECTATIONS,
        column_name=expectation.column,
        detail=expectation.detail,
        row_count=rows,
        reason=reason,
    )


_Run = Callable[
    [Scope, Logs, Mapping[str, ColumnKind], Mapping[int, Any], int], tuple[dict[int, Any], int]
]


def _alone(
    run: _Run,
    scope: Scope,
    logs: Logs,
    columns: Mapping[str, ColumnKind],
    built: Mapping[int, Any],
    rows: int,
) -> tuple[dict[int, Any], int]:
    """Return the results and how many rows they are of; of what fails alone too, its failure."""
    try:
        return run(scope, logs, columns, built, rows)
    except SuiteError as error:
        if len(built) == 1:
            return dict.fromkeys(built, error), rows
        alone = [_alone(run, scope, logs, columns, {p: each}, rows) for p, each in built.items()]
        return {p: found for each, _ in alone for p, found in each.items()}, alone[0][1]


def _kinds(
    logs: Logs, names: Iterable[str], columns: Mapping[str, ColumnKind]
) -> dict[str, ColumnKind]:
    """Return how those of the names are compared that the log has: columns, and paths into them."""
    fields = {name: logs.predictions.find(name) for name in names}
    return {
        name: columns.get(name)
        or (ColumnKind.NUMERIC if field.family.is_number else ColumnKind.CATEGORICAL)
        for name, field in fields.items()
        if field
    }


def _in_sql(
    scope: Scope, logs: Logs, columns: Mapping[str, ColumnKind], built: Mapping[int, Any], rows: int
) -> tuple[dict[int, Any], int]:
    # Its data sources compile the text of a query twice, which turns `%` and `:` in names and
    # values into something else. Its engine compiles once, and takes our connection.
    gx, window = load(), scope.window
    query = logs.sql(window.start, window.end, columns).replace(":", "\\:")
    caller = logs.caller.of("expectations", window.start, window.end)
    engine = _engine(logs.url, caller)
    try:
        with _in_time(engine, logs.url, caller), _mapped():
            executor = gx.execution_engine.SqlAlchemyExecutionEngine(
                engine=engine, create_temp_table=False
            )
            data = gx.execution_engine.sqlalchemy_batch_data.SqlAlchemyBatchData(
                executor, query=query, create_temp_table=False
            )
            return _evaluated(executor, data, built), rows
    finally:
        engine.dispose()


def _engine(url: URL, caller: Caller) -> Connectable:
    """Open the warehouse for statements with parameters; the warehouse room's have none."""
    if url.get_backend_name() == "sqlite":
        engine = dialect_of(url).engine(url, caller)
    else:
        options = postgresql.options(caller)
        engine = create_engine(
            postgresql.named(url, caller),
            poolclass=NullPool,
            connect_args=postgresql.one_statement_a_call(),
            execution_options=options,
        )
        event.listen(engine, "begin", postgresql.start)
        event.listen(engine, "before_execute", _streamed, retval=True)
    sign(engine, lambda: caller)
    compiler: Any = engine.dialect.statement_compiler
    engine.dialect.statement_compiler = _with_any_names(compiler)
    return engine


@cache
def _with_any_names(compiler: Any) -> Any:
    """Return a compiler that names parameters after columns whose names hold a tab or a line end.

    SQLAlchemy looks for the place of a list of values by a pattern that no space is in.
    """
    escapes = compiler.bindname_escape_characters | dict.fromkeys(_SPACES, "_")
    return type(compiler.__name__, (compiler,), {"bindname_escape_characters": escapes})


@contextmanager
def _in_time(engine: Connectable, url: URL, caller: Caller) -> Iterator[None]:
    """Raise WarehouseError when a statement took too long: Great Expectations keeps it back."""
    late: list[BaseException] = []

    def failed(context: Any) -> None:
        if dialect_of(url).timed_out(context.original_exception):
            late.append(context.original_exception)

    event.listen(engine, "handle_error", failed)
    try:
        yield
    finally:
        if late:
            raise WarehouseError(f"{shown(url)}: {too_long(caller.timeout)}") from late[0]


def _streamed(_: Any, statement: Any, many: Any, single: Any, __: Any) -> tuple[Any, Any, Any]:
    """Let the bare query stream: Great Expectations runs it to read the names of its columns."""
    if isinstance(statement, TextClause) and statement.text.startswith("SELECT"):
        statement = statement.execution_options(stream_results=True)
    return statement, many, single


def _on_frame(
    scope: Scope, logs: Logs, columns: Mapping[str, ColumnKind], built: Mapping[int, Any], rows: int
) -> tuple[dict[int, Any], int]:
    import pandas as pd

    gx, window = load(), scope.window
    drawn = logs.rows(
        window.start, window.end, columns, labels=False, limit=logs.monitor.drift.rows
    )
    of_table = {p: each for p, each in built.items() if not getattr(each, "column", None)}
    counts = {p: each for p, each in of_table.items() if "row_count" in each.expectation_type}
    rest = {p: each for p, each in built.items() if p not in counts}
    results: dict[int, Any] = {}
    # How many rows there are must be asked of all of them, not of the sample.
    for part, frame in (
        (rest, drawn.table.select(list(columns)).to_pandas()),
        (counts, pd.DataFrame(index=range(rows))),
    ):
        if part:
            with _mapped():
                executor = gx.execution_engine.PandasExecutionEngine()
                data = gx.execution_engine.pandas_batch_data.PandasBatchData(executor, frame)
                results |= _evaluated(executor, data, part)
    return results, len(drawn.table)


def _evaluated(executor: Any, data: Any, built: Mapping[int, Any]) -> dict[int, Any]:
    """Return Great Expectations' results by the place of their expectation.

    They come in another order. Its data sources would take as long again to describe the data.
    """
    gx = load()
    validator = gx.validator.validator.Validator(
        execution_engine=executor,
        batches=[gx.core.batch.Batch(data=data)],
        data_context=_context(),
    )
    for place, each in built.items():
        each.meta = {"place": place}
    results = validator.graph_validate([each.configuration for each in built.values()])
    return {each.expectation_config.meta["place"]: each for each in results}


def _told(
    result: Any, expectation: Expectation, *, secret: bool, discreet: bool, times: bool
) -> tuple[float | None, str]:
    """Return the value of a result and its reason in words; `times` are numbers in it.

    Of a `secret` column no value is told. Where `discreet`, no words of an error are: they may be
    about any column.
    """
    if result is None:
        return None, f"{UNEVALUATED}: Great Expectations gave no result"
    if isinstance(result, SuiteError):
        return None, UNEVALUATED + ("" if discreet else f": {result}")
    if failures := _exceptions(result.exception_info or {}):
        return None, UNEVALUATED + ("" if discreet else f": {failures[0]}")
    found = result.result or {}
    measured = found.get("element_count", 0) - (found.get("missing_count") or 0)
    if times and not measured and found.get("observed_value") is None:
        return None, "no value could be read as a time"
    if result.success:
        return 1.0, ""
    show = as_time if times else _short
    if (percent := found.get("unexpected_percent")) is not None:
        allowed = 1 - float(expectation.kwargs.get("mostly", 1.0))
        of_nulls = expectation.type == NOT_NULL
        kind = "null" if of_nulls else "unexpected"
        told = f"{percent:.3g}% of {amount(measured, 'value')} {kind}"
        examples = _examples(found.get("partial_unexpected_list") or (), show)
        if examples and not (secret or of_nulls):
            told += f" (such as {examples})"
        return 0.0, f"{told}, {allowed * 100:.3g}% allowed"
    if found.get("observed_value") is not None and not secret:
        wanted = ", ".join(
            f"{key} {_short(value)}"
            for key, value in expectation.kwargs.items()
            if key != "column" and value is not None
        )
        return 0.0, f"found {show(found['observed_value'])}; asked for {wanted or 'more'}"
    return 0.0, "not as expected"


def _examples(values: Iterable[Any], show: Callable[[Any], str]) -> str:
    distinct = dict.fromkeys(show(value) for value in values if value is not None)
    return ", ".join(list(distinct)[:_EXAMPLES])


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else plain(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _exceptions(info: Mapping[str, Any]) -> list[str]:
    """Return what went wrong; Great Expectations gives one exception, or one for each metric."""
    each = [info] if "raised_exception" in info else list(info.values())
    return [
        str(one.get("exception_message") or "").partition("\n")[0][:160]
        for one in each
        if one.get("raised_exception")
    ]


def _built(expectation: Expectation) -> Any:
    """Return Great Expectations' own expectation; SuiteError when there is none like it."""
    gx = load()
    registry = gx.expectations.registry
    known = registry.list_registered_expectation_implementations()
    name = expectation.type
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SuiteError(f"quality: Great Expectations knows no {name}{hint}")
    implementation = registry.get_expectation_impl(name)
    try:
        return implementation(**expectation.kwargs)
    except (ValueError, TypeError) as error:
        faults = error.errors() if hasattr(error, "errors") else [{"loc": (), "msg": str(error)}]
        fields = set(implementation.__fields__)
        told = [_fault(fault, fields) for fault in faults]
        raise SuiteError(f"quality: {name}: {'; '.join(told)}") from None
    except Exception as error:
        raise SuiteError(f"quality: {name}: {words(error)}") from error


def _fault(fault: Mapping[str, Any], fields: Iterable[str]) -> str:
    key = ".".join(map(str, fault["loc"]))
    if "extra" not in str(fault.get("type")):
        return f"{key}: {fault['msg']}" if key else str(fault["msg"])
    near = difflib.get_close_matches(key, fields, n=1)
    return f"it takes no {key}" + (f"; did you mean {near[0]}?" if near else "")


@contextmanager
def _mapped() -> Iterator[None]:
    """Map what SQLAlchemy and Great Expectations raise."""
    with engine(_NAME):
        try:
            yield
        except SQLAlchemyError as error:
            raise WarehouseError(f"the warehouse failed: {type(error).__name__}") from error


@cache
def _context() -> Any:
    """Return the process's only context, which lives in memory and shows no progress bars."""
    gx = load()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


@cache
def load() -> Any:
    """Return Great Expectations, which takes seconds to import: quiet, and telling nobody."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    # It logs what it registers, and whole tracebacks of what its results hold anyway; some of its
    # modules set a level of their own, so its words must not reach our handlers.
    noisy = logging.getLogger("great_expectations")
    noisy.addHandler(logging.NullHandler())
    noisy.propagate = False
    with importing("great_expectations", "great_expectations", "quality"):
        import great_expectations as gx
        import great_expectations.core.batch
        import great_expectations.execution_engine.pandas_batch_data
        import great_expectations.execution_engine.sqlalchemy_batch_data
        import great_expectations.expectations.registry
        import great_expectations.validator.validator
    return gx
