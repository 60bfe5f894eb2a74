"""Verdicts: what the answers of several reviewers to one photo come to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workflow.reviews import Review


class AgreementStatus(StrEnum):
    """How far the answers to one photo agree."""

    AGREED = "agreed"
    SETTLED = "settled"
    DISPUTED = "disputed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """One answer to one photo.

    Attributes:
        event_id: The id that the label was given under.
        label: Index of the class, or ``NEITHER``; None where the reviewer could not tell.
        at: When; aware.
        source: Key of the object that holds it.
        review: Who gave it; None for a label of another program.
    """

    event_id: str
    label: int | None
    at: datetime
    source: str
    review: Review | None = None

    @property
    def reviewer(self) -> str:
        """Who gave it; the object's key where the line does not tell."""
        return self.review.reviewer if self.review else self.source

    @property
    def settles(self) -> bool:
        """Whether it settles a disagreement."""
        return self.review is not None and self.review.settles


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers to one photo come to.

    Attributes:
        status: How far they agree.
        label: The class that is right; None where that is disputed or undecided.
        answers: The latest answer of each reviewer, oldest first.
    """

    status: AgreementStatus
    label: int | None
    answers: tuple[ReviewAnswer, ...]


def verdicts(answers: Iterable[ReviewAnswer]) -> dict[str, Verdict]:
    """Return the verdict on every photo, by the id its labels were given under.

    Of one reviewer the latest answer counts: that is how an answer is taken back. The latest
    answer that settles a disagreement counts more than all that are not meant to.
    """
    by_event: dict[str, list[ReviewAnswer]] = defaultdict(list)
    for answer in sorted(answers, key=lambda one: (one.at, one.source)):
        by_event[answer.event_id].append(answer)
    return {event: _judge_photo(given) for event, given in by_event.items()}


def _judge_photo(given: list[ReviewAnswer]) -> Verdict:
    """Return the verdict of one photo's answers, given oldest first."""
    latest = {answer.reviewer: answer for answer in given}
    counted = tuple(sorted(latest.values(), key=lambda one: (one.at, one.source)))
    # Among all answers, not the latest ones: settling counts even if the reviewer answered again.
    settling = [answer for answer in given if answer.settles and answer.label is not None]
    if settling:
        return Verdict(AgreementStatus.SETTLED, settling[-1].label, counted)
    labels = {answer.label for answer in counted} - {None}
    if len(labels) > 1:
        return Verdict(AgreementStatus.DISPUTED, None, counted)
    if not labels:
        return Verdict(AgreementStatus.UNDECIDED, None, counted)
    return Verdict(AgreementStatus.AGREED, labels.pop(), counted)


def agreement(found: Mapping[str, Verdict]) -> tuple[int, int]:
    """Return how many photos two reviewers or more told apart alike, and how many they judged."""
    compared = [
        {answer.label for answer in verdict.answers if not answer.settles} - {None}
        for verdict in found.values()
        if sum(answer.label is not None and not answer.settles for answer in verdict.answers) > 1
    ]
    return sum(len(labels) == 1 for labels in compared), len(compared)
