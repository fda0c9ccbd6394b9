"""What a window is compared with beside its reference: windows that came before it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from driftline.domain import DAY, Window
from driftline.judge import MIN_SHARE_OF_LOG
from driftline.monitor.sections import Baseline

WEEK = timedelta(days=7)
WEEKS = 4
"""The same hours are looked up in so many earlier weeks."""


def earlier(
    window: Window, wanted: tuple[Baseline, ...], log_start: datetime | None
) -> Mapping[Baseline, list[Window]]:
    """Return the windows whose sum each baseline is, as far as the log reaches back.

    `previous` is the one that ends where this one begins, `seasonal` those of the same hours in
    earlier weeks: it says nothing new about a window that is longer than a day.

    >>> from datetime import UTC
    >>> day = Window.ending("1d", datetime(2013, 4, 9, tzinfo=UTC))
    >>> found = earlier(day, tuple(Baseline), datetime(2013, 3, 25, tzinfo=UTC))
    >>> [str(each) for each in found[Baseline.SEASONAL]]
    ['1d 2013-03-25 to 2013-03-26', '1d 2013-04-01 to 2013-04-02']
    """
    ends = {Baseline.PREVIOUS: [window.start]}
    if window.end - window.start <= DAY:
        ends[Baseline.SEASONAL] = [window.end - WEEK * back for back in range(WEEKS, 0, -1)]
    found = {}
    for baseline in wanted:
        windows = [Window.ending(window.cadence, end) for end in ends.get(baseline, [])]
        if there := [each for each in windows if each.share_after(log_start) >= MIN_SHARE_OF_LOG]:
            found[baseline] = there
    return found
