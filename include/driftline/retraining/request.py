"""Why a model is to be retrained, as it travels from the branch, or a REST call, to the DAG."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from driftline.domain import Evidence, utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A wish to retrain a monitor's model on what was known `as_of` a moment, with its reason.

    There is one retraining for a monitor and a moment, however often it is asked for.
    """

    monitor: str
    as_of: datetime
    reason: str
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "as_of", utc(self.as_of))

    @property
    def run_id(self) -> str:
        """The run id under which a DAG is started: the same request, the same run."""
        return f"retrain__{self.as_of:%Y-%m-%dT%H:%M:%S}"

    def to_conf(self) -> dict[str, Any]:
        """Return it as the configuration of a DAG run: plain JSON types."""
        return {**asdict(self), "as_of": self.as_of.isoformat(), "evidence": self._evidence()}

    def _evidence(self) -> list[dict[str, Any]]:
        return [asdict(each) for each in self.evidence]

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any]) -> Self:
        """Return the request that `to_conf` wrote."""
        return cls(
            monitor=conf["monitor"],
            as_of=datetime.fromisoformat(conf["as_of"]),
            reason=conf["reason"],
            evidence=tuple(Evidence(**each) for each in conf.get("evidence") or ()),
        )
