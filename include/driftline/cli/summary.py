"""How it stands at the end of a run: what is open, what has ended, and what nobody can say."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from driftline.cli.console import COLORS, literal
from driftline.domain import Incident, Outcome, Verdict, Window
from driftline.printable import amount

if TYPE_CHECKING:
    from driftline.flow.conclusion import Conclusion
    from driftline.flow.doubts import Doubts, Unjudged
    from driftline.store import Store


def lines(store: "Store", monitor: str, conclusions: "Sequence[Conclusion]") -> Iterator[str]:
    """Yield what a run came to, a line each, as markup."""
    first, last = conclusions[0].interval, conclusions[-1].interval
    verdicts = [verdict for conclusion in conclusions for verdict in conclusion.verdicts]
    counts = {o: sum(verdict.outcome is o for verdict in verdicts) for o in Outcome}
    said = ", ".join(f"[{COLORS[o]}]{n} {o.replace('_', ' ')}[/]" for o, n in counts.items())
    final = at_the_end(conclusions)
    if unmet := sum(not one.of for one in final.unjudged):
        said += f"; {amount(unmet, 'rule')} met no number"
    yield f"{amount(len(conclusions), 'run')}, {amount(len(verdicts), 'verdict')}: {said}"
    ended, still = _incidents(store, monitor, first, last)
    newest = {i.id: verdict for c in conclusions for i, verdict in c.open.items()}
    yield from _listed("ended in this time", ended, newest)
    yield from _listed(f"open at {last.end:%F %H:%M} UTC", still, newest)
    yield from _not_judged("could not be judged", [one for one in final.unjudged if one.blind])
    waiting = [one for one in final.unjudged if not one.blind]
    yield from _not_judged("not judged, which was to be expected", waiting)
    if final.unlabelled:
        yield f"[red]no labels[/]: {literal(final.unlabelled)}"
    yield _standing(conclusions, final, len(still))


MOST = 5
"""So many incidents, or rules that could not be judged, are listed; the rest are counted."""


def at_the_end(conclusions: "Sequence[Conclusion]") -> "Doubts":
    """Return what is in doubt after all of it: the steps that failed, and the last hour and day."""
    from driftline.flow.doubts import Doubts

    last = {c.interval.cadence: c.doubts for c in conclusions}.values()
    return Doubts(
        steps=sum(c.doubts.steps for c in conclusions),
        failed=tuple(entry for c in conclusions for entry in c.doubts.failed),
        unjudged=tuple(one for doubts in last for one in doubts.unjudged),
        unlabelled="; ".join(filter(None, (doubts.unlabelled for doubts in last))),
    )


def _standing(conclusions: "Sequence[Conclusion]", final: "Doubts", still: int) -> str:
    """Return the last word: all is well only where everything is known and nothing is wrong."""
    moment = f"{conclusions[-1].interval.end:%F %H:%M} UTC"
    failing = sum(verdict.outcome.failed for verdict in conclusions[-1].verdicts)
    wrong = [
        f"{amount(still, 'incident')} {'is' if still == 1 else 'are'} open" if still else "",
        f"{amount(failing, 'verdict')} failed, none long enough" if failing and not still else "",
        f"{len(final.failed)} of {amount(final.steps, 'step')} failed" if final.failed else "",
        f"{amount(len(final.blind), 'critical rule')} could not be judged" if final.blind else "",
        "no prediction has found a label" if final.unlabelled else "",
        "" if any(c.verdicts for c in conclusions) else "no rule was judged",
    ]
    if found := [part for part in wrong if part]:
        return f"[bold]At {moment}: {', '.join(found)}.[/]"
    if final.unjudged:
        return f"Nothing is wrong that could be judged at {moment}."
    return f"Nothing is wrong at {moment}."


def _incidents(
    store: "Store", monitor: str, first: Window, last: Window
) -> tuple[list[Incident], list[Incident]]:
    """Return the incidents that ended in this time, and those that were open at its end."""
    from driftline.store import incidents

    with store.read() as connection:
        found = incidents.since(connection, monitor, first.start)
    fired = [one for one in found if one.fired <= last.end]
    ended = [one for one in fired if one.resolved and first.start < one.resolved <= last.end]
    return ended, [one for one in fired if one not in ended]


def _listed(title: str, found: Sequence[Incident], newest: dict[str, Verdict]) -> Iterator[str]:
    if not found:
        return
    yield f"{title}:"
    worst = sorted(found, key=lambda one: (one.severity is not Outcome.CRITICAL, one.began))
    for one in worst[:MOST]:
        until = f", until {one.resolved:%F %H:%M}" if one.resolved else ""
        verdict = newest.get(one.id)
        found_ = verdict.reason if verdict else f"{one.series.subject}; not judged in this run"
        yield (
            f"  [{COLORS[one.severity]}]{one.severity}[/] [bold]{literal(one.rule)}[/] since "
            f"{one.first.span}{until}: {literal(found_)}"
        )
    if len(worst) > MOST:
        yield f"  and {len(worst) - MOST} more"


def _not_judged(title: str, found: "Sequence[Unjudged]") -> Iterator[str]:
    if found:
        yield f"{title}:"
        yield from (f"  {_colored(one)}" for one in found[:MOST])
    if len(found) > MOST:
        yield f"  and {len(found) - MOST} more"


def _colored(one: "Unjudged") -> str:
    color = COLORS[one.severity] if one.blind else COLORS["not_evaluated"]
    return f"[{color}]{literal(one.words)}[/]"
