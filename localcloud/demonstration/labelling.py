"""Labelling: the draw of the demonstration, and what a reviewer said of its photos. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Final

from workflow.captures import Capture
from workflow.contract import LABELS
from workflow.draws import Draw, Photo, Place, Stratum, StratumSize, draw_id, split
from workflow.reviews import NEITHER_NAME, GroundTruth, Review

SIZE: Final = 100
LABELLED: Final = 90
"""Photos of the draw that have their label; the others are left to the reader."""

_RANDOM_SHARE: Final = 0.5
_NAME: Final = "demonstration"


def draw_photos(
    captures: Sequence[Capture], threshold: float, at: datetime, random: Random
) -> Draw:
    """Draw photos as the Review page does: those below the threshold and the others apart.

    Args:
        captures: Those that can be drawn.
        threshold: Confidence at or above which a photo counts as accepted.
        at: Time of the draw.
        random: Draws.
    """
    parts = {
        Stratum.REJECTED: [one for one in captures if one.confidence < threshold],
        Stratum.ACCEPTED: [one for one in captures if one.confidence >= threshold],
    }
    counts = split(SIZE, _RANDOM_SHARE, *map(len, parts.values()))
    drawn = {
        stratum: random.sample(part, count)
        for (stratum, part), count in zip(parts.items(), counts, strict=True)
    }
    photos = [_build_photo(one, stratum) for stratum, part in drawn.items() for one in part]
    random.shuffle(photos)
    return Draw(
        id=draw_id(at, _NAME),
        at=at,
        by=_NAME,
        threshold=threshold,
        strata={
            stratum: StratumSize(len(part), len(drawn[stratum])) for stratum, part in parts.items()
        },
        photos=tuple(photos),
    )


def label_photos(draw: Draw, kinds: Mapping[str, str], at: datetime) -> list[GroundTruth]:
    """Return what a reviewer who is always right says of the first photos of a draw.

    Args:
        draw: The draw.
        kinds: What each photo shows, by its id: a class, or anything else.
        at: When it was said.
    """
    review = Review(reviewer=_NAME, draw=draw.id)
    return [
        GroundTruth(photo.id, _label_text(kinds[photo.id]), at, review)
        for photo in draw.photos[:LABELLED]
    ]


def _label_text(kind: str) -> str:
    return str(LABELS.index(kind)) if kind in LABELS else NEITHER_NAME


def _build_photo(capture: Capture, stratum: Stratum) -> Photo:
    return Photo(
        id=capture.inference_id or capture.event_id,
        place=Place(capture.key, capture.offset, capture.length, gzipped=capture.gzipped),
        stratum=stratum,
        endpoint=capture.endpoint,
        variant=capture.variant,
        label=capture.label,
        confidence=capture.confidence,
        at=capture.inference_time,
    )
