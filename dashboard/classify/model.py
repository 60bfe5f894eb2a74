"""What the Classify page shows of a batch: counts, a card an image, and a table to download."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd
import plotly.graph_objects as go
import polars as pl

from dashboard.executions.model import ExecutionFilters
from dashboard.shared.csv_files import csv_file
from dashboard.shared.escaping import escape_text
from dashboard.shared.palette import STYLES
from dashboard.shared.query import link_to
from workflow.executions import Outcome
from workflow.submissions import Batch, Classified, Faulted, Refusal, Rejected, Submission, Verdict
from workflow.thresholds import LOWEST
from workflow.timelines import StateVisit, VisitStatus

MAX_CARDS = 12
"""Images shown as cards; more are shown as a table."""

COLUMNS = (
    "image",
    "outcome",
    "label",
    "confidence",
    "threshold",
    "seconds",
    "error",
    "message",
    "s3_uri",
    "execution_arn",
)
_ICONS = {
    VisitStatus.SUCCEEDED: ":material/check:",
    VisitStatus.RUNNING: ":material/progress_activity:",
    VisitStatus.CAUGHT: ":material/redo:",
}
_INSTANT = frozenset({"Choice", "Pass", "Succeed", "Fail"})
"""Types of states that do no work: the verdict says what they decided."""

_FAILED_ICON = ":material/close:"
_MUTED = "#8A8F98"


@dataclass(frozen=True, slots=True)
class ClassifyAddress:
    """The parameters in the address of the page.

    Attributes:
        batch: Identifier of the batch whose results are shown; empty to hand in another.
    """

    batch: str = ""


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as far as it has come.

    Attributes:
        submissions: One for each image, in the order they were handed in.
        refused: Files that went no further.
    """

    submissions: tuple[Submission, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Images by outcome."""
        return Counter(outcome_of(item.verdict) for item in self.submissions)

    @property
    def done(self) -> int:
        """Images with a final verdict."""
        return len(self.submissions) - self.counts.get(Outcome.RUNNING, 0)

    @property
    def unstarted(self) -> int:
        """Images that AWS did not take: no execution of theirs was started."""
        return sum(
            isinstance(item.verdict, Faulted) and not item.execution_arn
            for item in self.submissions
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionCard:
    """One image and what became of it.

    Attributes:
        headline: The verdict in a few words, such as ``bicycle, 98.3 %``.
        note: A sentence where the verdict needs one.
        confidence: 0 to 1; None where there is none.
        steps: The states in order: icon, name and milliseconds in Markdown.
        href: Address of the execution's page; empty until it has started.
    """

    submission: Submission
    outcome: Outcome
    headline: str
    note: str = ""
    confidence: float | None = None
    threshold: float | None = None
    steps: tuple[str, ...] = field(default=())
    href: str = ""


def batch_view(steps: Iterable[object]) -> BatchView:
    """Fold what a batch has reported so far: itself, and each image's progress by its index."""
    batch: Batch | None = None
    latest: dict[int, Submission] = {}
    for step in steps:
        if isinstance(step, Batch):
            batch = step
        elif isinstance(step, tuple):
            index, submission = step
            latest[index] = submission
    if batch is None:
        return BatchView()
    return BatchView(
        tuple(
            latest.get(index, Submission(image=image)) for index, image in enumerate(batch.images)
        ),
        batch.refused,
    )


def outcome_of(verdict: Verdict) -> Outcome:
    """Return the outcome that a verdict is shown as."""
    match verdict:
        case Classified():
            return Outcome.ACCEPTED
        case Rejected():
            return Outcome.REJECTED
        case Faulted():
            return verdict.outcome
        case _:
            return Outcome.RUNNING


def build_cards(view: BatchView) -> tuple[SubmissionCard, ...]:
    """Return the first twelve images as cards, in the order they were handed in."""
    return tuple(build_card(submission) for submission in view.submissions[:MAX_CARDS])


def build_card(submission: Submission) -> SubmissionCard:
    """Return one image as a card."""
    verdict = submission.verdict
    headline, note, confidence, threshold = _describe_verdict(submission)
    return SubmissionCard(
        submission=submission,
        outcome=outcome_of(verdict),
        headline=headline,
        note=note,
        confidence=confidence,
        threshold=threshold,
        steps=tuple(
            _format_step(visit) for visit in submission.visits if visit.type not in _INSTANT
        ),
        href=_execution_link(submission.execution_arn),
    )


def results_table(view: BatchView) -> pd.DataFrame:
    """Return every image and every refused file in a row, with ``COLUMNS``."""
    rows = [_build_row(item) for item in view.submissions]
    rows += [
        {
            "image": item.name,
            "outcome": "Not submitted",
            "error": item.code,
            "message": f"{item.message} {item.remedy}",
        }
        for item in view.refused
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def csv_of(frame: pd.DataFrame) -> bytes:
    """Return the table as CSV."""
    return csv_file(pl.from_pandas(frame))


def confidence_figure(confidence: float, threshold: float, outcome: Outcome) -> go.Figure:
    """Return the confidence as a bar, with the threshold as a line across it.

    It begins at 0.5, which two classes never go below, or at 0 where that does not show both.
    """
    lowest = LOWEST if min(confidence, threshold) >= LOWEST else 0.0
    middle = (lowest + 1) / 2
    figure = go.Figure(
        go.Bar(
            x=[confidence - lowest],
            base=lowest,
            y=[""],
            orientation="h",
            marker_color=STYLES[outcome].color,
            hovertemplate=f"confidence {confidence:.4f}<extra></extra>",
            width=0.55,
        )
    )
    figure.add_vline(x=threshold, line_width=2, line_dash="dot", line_color=_MUTED)
    figure.add_annotation(
        x=threshold,
        y=1,
        yref="paper",
        yanchor="bottom",
        text=f"threshold {threshold:.1%}",
        showarrow=False,
        font={"size": 11, "color": _MUTED},
        xanchor="right" if threshold > middle else "left",  # the label stays inside
    )
    figure.update_layout(height=80, margin={"l": 16, "r": 16, "t": 22, "b": 24}, showlegend=False)
    figure.update_xaxes(
        range=[lowest, 1], tickvals=[lowest, middle, 1], tickformat=".0%", fixedrange=True
    )
    figure.update_xaxes(showgrid=False, showline=True, linecolor=_MUTED)
    figure.update_yaxes(visible=False, fixedrange=True)
    return figure


def alt_text(card: SubmissionCard) -> str:
    """Return the figure in words, for those who cannot see it."""
    return f"Confidence {card.confidence:.1%} against the threshold of {card.threshold:.1%}"


def _describe_verdict(submission: Submission) -> tuple[str, str, float | None, float | None]:
    match submission.verdict:
        case Classified(label, confidence, threshold):
            return f"{label}, {confidence:.1%}", "", confidence, threshold or None
        case Rejected(label, confidence, threshold):
            if label is None or confidence is None:
                note = "The confidence was below the threshold; it was not recorded."
                return "too uncertain", note, None, threshold
            note = (
                f"Below the threshold of {threshold:.1%}, so the label is not used. This is a "
                "result, not a fault: look at the image, or change the threshold."
            )
            return f"perhaps {label}, {confidence:.1%}", note, confidence, threshold
        case Faulted(_, state, error, message, remedy):
            where = f" in {state}" if state else ""
            return f"{error}{where}", f"{message} {remedy}".strip(), None, None
        case _:
            return ("under way" if submission.execution_arn else "queued"), "", None, None


def _format_step(visit: StateVisit) -> str:
    icon = _ICONS.get(visit.status, _FAILED_ICON)
    attempts = f", {len(visit.attempts)} attempts" if len(visit.attempts) > 1 else ""
    return f"{icon} {escape_text(visit.name)} {_format_milliseconds(visit)}{attempts}".rstrip()


def _format_milliseconds(visit: StateVisit) -> str:
    if visit.exited_at is None:
        return ""
    return f"{max(0.0, (visit.exited_at - visit.entered_at).total_seconds()) * 1000:,.0f} ms"


def _execution_link(execution_arn: str) -> str:
    if not execution_arn:
        return ""
    return link_to("executions", ExecutionFilters(execution=execution_arn))


def _build_row(submission: Submission) -> dict[str, object]:
    headline, note, confidence, threshold = _describe_verdict(submission)
    verdict = submission.verdict
    return {
        "image": submission.image.name,
        "outcome": STYLES[outcome_of(verdict)].word,
        "label": verdict.label if isinstance(verdict, Classified | Rejected) else None,
        "confidence": confidence,
        "threshold": threshold,
        "seconds": _visited_seconds(submission.visits),
        "error": verdict.error if isinstance(verdict, Faulted) else None,
        "message": note or headline,
        "s3_uri": str(submission.image.location),
        "execution_arn": submission.execution_arn,
    }


def _visited_seconds(visits: tuple[StateVisit, ...]) -> float | None:
    ends = [visit.exited_at for visit in visits if visit.exited_at is not None]
    if not visits or len(ends) < len(visits):
        return None
    return round((max(ends) - visits[0].entered_at).total_seconds(), 3)
