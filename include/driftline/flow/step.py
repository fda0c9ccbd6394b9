"""A step of measuring, what it is made from, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from driftline.domain import Measurement, Suite, Window
from driftline.monitor.sections import Baseline
from driftline.profile.columns import Layout, Parts, Profile
from driftline.profile.outcomes import OutcomeParts, OutcomeProfile
from driftline.store.ledger import State

MOST_SEGMENTS = 20
"""So many values of a segment column, or model versions, are measured: those with most rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One suite on one window, with what was known of labels by then."""

    suite: Suite
    window: Window
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a step measured, or what kept it from it: an error, or nothing to compare with yet."""

    step: Step
    reference_id: str
    measurements: tuple[Measurement, ...] = ()
    rows: int | None = None
    coverage: float | None = None
    error: str = ""
    not_evaluated: str = ""

    @property
    def state(self) -> State:
        """How the ledger calls it."""
        if self.error:
            return State.FAILED
        return State.NOT_EVALUATED if self.not_evaluated else State.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted of a window, and of the reference on whose bins it was."""

    layout: Layout
    current: Parts
    reference: Parts
    earlier: Mapping[Baseline, Parts] = field(default_factory=dict)
    """The sum of the windows that a baseline stands for."""

    def whole(self) -> Profile:
        """Return the window's profile."""
        return self._total(self.current, "")

    def base(self, baseline: Baseline = Baseline.REFERENCE) -> Profile:
        """Return the profile that the window is compared with."""
        return self._total(self.earlier.get(baseline, self.reference), "")

    @property
    def segments(self) -> list[str]:
        """The segments of the reference, such as `origin=JFK`."""
        return list(dict.fromkeys(part.segment for part in self.reference if part.segment))

    def of_segment(self, segment: str) -> tuple[Profile, Profile]:
        """Return the profiles of one segment, the window's first."""
        return self._total(self.current, segment), self._total(self.reference, segment)

    def versions(self) -> list[tuple[str, Profile]]:
        """Return the model versions of the window with the most rows, each with its profile."""
        own = [(p.version, each) for p, each in self.current.items() if p.version and not p.segment]
        return sorted(own, key=lambda pair: (-pair[1].rows, pair[0]))[:MOST_SEGMENTS]

    def _total(self, parts: Parts, segment: str) -> Profile:
        return self.layout.total(each for part, each in parts.items() if part.segment == segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a window's predictions; for an estimate also what came of the reference's, and
    of which metrics estimates are not believed any more, with the reason.
    """

    current: OutcomeParts
    reference: OutcomeProfile | None = None
    distrusted: Mapping[str, str] = field(default_factory=dict)


Known = Counted | Came
"""What a step measures from: counts of columns, or of outcomes."""
