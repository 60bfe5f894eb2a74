"""A canary: two versions of the state machine that share new executions, and how each does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from dashboard.shared import numbers
from workflow.executions import Outcome
from workflow.intervals import Share

_OUTCOMES: Final = {
    "Accepted": frozenset({Outcome.ACCEPTED, Outcome.UNEXAMINED}),
    "Rejected": frozenset({Outcome.REJECTED}),
    "Failed": frozenset({Outcome.FAULTED, Outcome.SILENT}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Two versions that share new executions.

    Attributes:
        old: Number of the version that traffic shifts away from.
        new: Number of the version that it shifts to.
        share: Percentage of new executions that the new version gets.
        since: When the alias was changed last; aware.
    """

    old: int
    new: int
    share: int
    since: datetime


def read_canary(outputs: Mapping[str, Any]) -> Canary | None:
    """Return the canary of a deployment; None where one version has all executions.

    Args:
        outputs: ``Outputs.to_json()``: ``versions``, the newest first, and ``shifted_at``.
    """
    routed = [version for version in outputs["versions"] if version["weight"]]
    if len(routed) != 2:  # noqa: PLR2004 - an alias routes to one version or two
        return None
    new, old = routed
    return Canary(
        old=old["number"],
        new=new["number"],
        share=new["weight"],
        since=datetime.fromisoformat(outputs["shifted_at"]),
    )


def compare_versions(listing: pl.DataFrame, found: Canary) -> pl.DataFrame:
    """Return how the executions of both versions ended that were started since the shift.

    Args:
        listing: ``version``, ``started_at`` and ``outcome`` of executions.
        found: The canary.

    Returns:
        A row a figure, and a column of text a version, the old one first; no row where no
        execution was started since. Shares are of the accepted, rejected and failed executions,
        with Wilson's 95 % interval.
    """
    recent = listing.filter(pl.col("started_at") >= found.since)
    runs = {
        number: recent.filter(pl.col("version") == str(number))["outcome"]
        for number in (found.old, found.new)
    }
    if not any(len(outcomes) for outcomes in runs.values()):
        return pl.DataFrame()
    columns = {
        f"Version {number} ({words})": _format_figures(runs[number], share)
        for number, words, share in (
            (found.old, "old", 100 - found.share),
            (found.new, "new", found.share),
        )
    }
    names = list(next(iter(columns.values())))
    return pl.DataFrame(
        {"Since the shift": names} | {name: list(one.values()) for name, one in columns.items()}
    )


def _format_figures(outcomes: pl.Series, share: int) -> dict[str, str]:
    counts = {
        name: int(outcomes.is_in([one.value for one in which]).sum())
        for name, which in _OUTCOMES.items()
    }
    ended = sum(counts.values())
    return {
        "Share of new executions": f"{share} %",
        "Started": f"{len(outcomes):,}",
        "Running or aborted": f"{len(outcomes) - ended:,}",
    } | {name: _format_share(Share(count, ended)) for name, count in counts.items()}


def _format_share(share: Share) -> str:
    if not share.count:
        return "-"
    between = numbers.format_interval(*share.interval)
    return f"{share.hits:,} · {numbers.format_share(share.value)} ({between})"
