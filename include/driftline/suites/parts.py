"""The parts of a window that the warehouse aggregates: all rows, segments, model versions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from driftline.domain import Scope
from driftline.warehouse.cut import Cut, cuts

Found = TypeVar("Found")


def parts(
    scope: Scope,
    count: Callable[[Cut], Mapping[str, Found]],
    segments: Mapping[str, tuple[str, ...]],
    *,
    version: bool,
    most: int,
) -> Iterator[tuple[Scope, Found]]:
    """Yield the scope of each part and what was counted of it.

    Of the model versions the `most` are counted that have most rows, where there is a `version`.
    """
    for cut in cuts(segments, version=version, most=most):
        for key, found in count(cut).items():
            if cut.version:
                yield replace(scope, model_version=key), found
            else:
                segment = f"{cut.segment}={key}" if cut.segment else ""
                yield replace(scope, segment=segment), found
