"""Everything that driftline raises on purpose.

DriftlineError
├── InputError                what a person wrote or asked for is wrong; exit code 2
│   ├── ConfigError           a monitor file has faults; carries one Fault for each
│   ├── UnknownMonitor        no monitor file has this name
│   ├── UnknownConnection     a connection id that nobody has defined
│   └── LogError              the logs are not as the monitor file says
│       ├── MissingTable
│       └── MissingColumn
├── MissingExtra              an optional package is not installed; names the extra
├── WarehouseError            the warehouse failed to answer; a retry may help
├── StoreError                the store failed to answer; a retry may help
│   └── StoreNotReady         its tables are missing or old; names the command that helps
├── WindowClaimed             another run is measuring this window; a retry will help
├── StepFailed                steps of a run failed; the ledger holds each with its error
├── SuiteError                an engine, or a library that measures, failed on a window
├── TrainingError             a training function, or the model it returned, failed
└── DeliveryError             a channel did not take a message; a retry may help
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from driftline.printable import amount, printable

MOST_FAULTS = 20
"""As many of a file are told at once."""

_PASSWORD = re.compile(r"(://[^\s:/@]*:)(?!\$\{)[^\s/@]+@")


class DriftlineError(Exception):
    """Base of every error that driftline raises on purpose."""


class InputError(DriftlineError):
    """What a person wrote or asked for is wrong; running it again will not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong in a monitor file, and where."""

    file: Path
    line: int | None
    key: str
    problem: str
    source: str = ""
    hint: str = ""
    missing: str = ""

    def __str__(self) -> str:
        place = _readable(f"{self.file}:{self.line}" if self.line else f"{self.file}", 300)
        words = [place, *([_readable(self.key, 100)] if self.key else []), _readable(self.problem)]
        text = ": ".join(words)
        if self.hint:
            text += f". {_readable(self.hint, 100)}"
        if self.source:
            source = _readable(self.source, 120)
            stripped = source.lstrip()
            gutter = f"{self.line:>5} | "
            indent = " " * (len(gutter) + len(source) - len(stripped))
            text += f"\n{gutter}{source}\n{indent}^"
        return _PASSWORD.sub(r"\1***@", text)


def _readable(text: str, most: int = 1000) -> str:
    """Return text of bounded length, with what a terminal would obey written out."""
    cut = f"{text[:most]}... ({len(text):,} characters)" if len(text) > most else text
    return printable(cut.replace("\t", " "))


class ConfigError(InputError):
    """A monitor file has faults: one error, every fault with its line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        told = [str(fault) for fault in self.faults[:MOST_FAULTS]]
        if more := len(self.faults) - len(told):
            told.append(f"{self.faults[0].file}: and {amount(more, 'more fault')}")
        super().__init__("\n".join(told))


class UnknownMonitor(InputError):
    """No monitor file has this name."""


class UnknownConnection(InputError):
    """A connection id that nobody has defined."""


class LogError(InputError):
    """The logs are not as the monitor file says."""


class MissingTable(LogError):
    """A table, view or file that the monitor file names is not there."""


class MissingColumn(LogError):
    """A column that the monitor file names is not in its table."""


class MissingExtra(DriftlineError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed; install it with: pip install 'driftline[{extra}]'"
        )


class WarehouseError(DriftlineError):
    """The warehouse failed to answer; a retry may help."""


class StoreError(DriftlineError):
    """The store failed to answer; a retry may help."""


class StoreNotReady(StoreError):
    """The store's tables are missing or old."""


class WindowClaimed(DriftlineError):
    """Another run is measuring this window just now."""


class StepFailed(DriftlineError):
    """Steps of a run failed; what each met stands in the ledger."""


class SuiteError(DriftlineError):
    """An engine, or a library that measures, failed on a window."""


@contextmanager
def unforeseen() -> Iterator[None]:
    """Raise what nobody foresaw, whatever its class, as a SuiteError: it ends one step, not all."""
    try:
        yield
    except DriftlineError:
        raise
    except Exception as error:
        raise SuiteError(f"{type(error).__name__}: {error}".removesuffix(": ")) from error


class TrainingError(DriftlineError):
    """A training function, or the model that it returned, failed."""


class DeliveryError(DriftlineError):
    """A channel did not take a message; `retry_after` is its wish in seconds, if it has one.

    `permanent`: it will not take it later either. `timed_out`: it was waited for in vain.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        permanent: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent
        self.timed_out = timed_out
