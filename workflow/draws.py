"""Draws: photos chosen for review at random, each with the probability that it was chosen.

A draw is a stratified random sample of the captures there are: so many of those below the
threshold, so many of the others. What a label stands for follows from its stratum: population over
drawn photos (Cochran, "Sampling Techniques", chapter 5). Without that the labels of a queue full of
rejections would make the model look worse than it is.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Final

import msgspec

from workflow.errors import WorkflowError

MOST_PHOTOS: Final = 1_000
"""Photos of one draw at most: one listing of S3 tells which of them are leased."""

SECOND_OPINION_EVERY: Final = 10
"""Every so many photos of a draw are shown to a second reviewer."""


class Stratum(StrEnum):
    """Why a photo could be drawn."""

    REJECTED = "rejected"
    ACCEPTED = "accepted"


class Place(msgspec.Struct, frozen=True):
    """Where the capture of a photo lies, as in the table of captures.

    Attributes:
        key: S3 key of the object.
        offset: Where the line begins, in (decompressed) bytes.
        length: Length of the line in bytes.
        gzipped: Whether the object is compressed.
    """

    key: str
    offset: int
    length: int
    gzipped: bool


class Photo(msgspec.Struct, frozen=True):
    """A photo that was drawn.

    Attributes:
        id: What labels are given under: the inference id, else the event id.
        place: Where its capture lies.
        stratum: Why it could be drawn.
        endpoint: Endpoint that classified it.
        variant: Production variant.
        label: Class that the model found most likely.
        confidence: Its probability.
        at: When it was classified; None where the capture does not tell.
    """

    id: str
    place: Place
    stratum: Stratum
    endpoint: str
    variant: str
    label: int
    confidence: float
    at: datetime | None


class StratumSize(msgspec.Struct, frozen=True):
    """One stratum of a draw.

    Attributes:
        population: Photos that could have been drawn, those of earlier draws included.
        drawn: Photos that were.
    """

    population: int
    drawn: int

    @property
    def probability(self) -> float:
        """The probability with which this draw chose a photo of the stratum; 0 of none."""
        return self.drawn / self.population if self.population else 0.0


class Draw(msgspec.Struct, frozen=True):
    """A draw; never changed once it is written.

    Attributes:
        id: Begins with the time, so that ids sort by it.
        at: When; aware, UTC.
        by: Who asked for it.
        threshold: Confidence at or above which a photo counted as accepted.
        strata: Of each stratum, how many there were and how many were drawn.
        photos: In the order in which they are shown: at random, whatever their stratum.
        since: First day (UTC) of the captures it was drawn from; None for all.
    """

    id: str
    at: datetime
    by: str
    threshold: float
    strata: dict[Stratum, StratumSize]
    photos: tuple[Photo, ...]
    since: date | None = None

    def needs_second_opinion(self, number: int) -> bool:
        """Return whether a second reviewer is shown the photo of this number as well."""
        return number % SECOND_OPINION_EVERY == 0


def draw_id(at: datetime, token: str) -> str:
    """Return an id that sorts by time."""
    return f"{at:%Y%m%dT%H%M%S}-{token}"


def split(size: int, random_share: float, rejected: int, accepted: int) -> tuple[int, int]:
    """Return how many photos to draw below the threshold and from the others.

    Where one stratum has too few, the other fills the draw.

    Args:
        size: Photos wanted, at most ``MOST_PHOTOS``.
        random_share: Share that is to come from the accepted, 0 to 1.
        rejected: Photos below the threshold that can be drawn.
        accepted: Other photos that can be drawn.

    Raises:
        WorkflowError: ``NothingToReview`` where there is no photo at all.
    """
    if not rejected + accepted:
        raise WorkflowError(
            "NothingToReview",
            "Every captured photo of the selection has been drawn for review already.",
            "Draw again when there are new captures, or choose an earlier day to start from.",
        )
    size = min(size, MOST_PHOTOS, rejected + accepted)
    # The share that was asked for, or more where rejections are too few to fill the draw.
    picks = min(accepted, max(round(size * random_share), size - rejected))
    return size - picks, picks


def to_json(draw: Draw) -> bytes:
    """Write a draw."""
    return msgspec.json.encode(draw)


def read_draw(data: bytes, key: str) -> Draw:
    """Read what ``to_json`` wrote.

    Raises:
        WorkflowError: ``DrawUnreadable`` where it is something else.
    """
    try:
        return msgspec.json.decode(data, type=Draw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WorkflowError(
            "DrawUnreadable",
            f"The object {key} is no draw of photos: {error}.",
            "Move it elsewhere; the other draws and all labels are not affected.",
        ) from error
