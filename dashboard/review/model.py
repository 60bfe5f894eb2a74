"""What the *Review* page shows: how photos are drawn, which one comes next, how far a draw is."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import polars as pl

from workflow.class_names import ClassNames
from workflow.draws import Draw, Photo, Place, Stratum, StratumSize, draw_id, split
from workflow.reviews import NEITHER, NEITHER_NAME, UNDECIDED
from workflow.verdicts import AgreementStatus, Verdict

LEASE: Final = timedelta(minutes=5)
"""How long a photo is kept for the reviewer who is looking at it."""

KEYS: Final = "1234567890"
"""Keyboard keys of the first classes, in the order of their numbers."""

DRAWABLE: Final = (
    *("event_id", "inference_id", "inference_time", "endpoint", "variant", "label"),
    *("confidence", "key", "offset", "length", "gzipped"),
)
"""The columns of the captures table that a draw needs."""

MOST_CLASSES: Final = 1_000  # a class beyond is a mistake of a label file, and no button


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """What is to be drawn.

    Attributes:
        size: Photos wanted.
        random_share: Share of them that is picked from the accepted.
        threshold: Confidence at or above which a photo counts as accepted.
        since: From the start of this day (UTC); None for all captures.
        by: Who asks for it.
    """

    size: int
    random_share: float
    threshold: float
    since: date | None
    by: str


@dataclass(frozen=True, slots=True)
class Slot:
    """One photo of a draw for one reviewer.

    Attributes:
        number: Of the photo in the draw, from 0.
        opinion: 1, or 2 for the second reviewer.
    """

    number: int
    opinion: int

    @property
    def name(self) -> str:
        """Name of its lease."""
        return f"{self.number:04d}-{self.opinion}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a draw is.

    Attributes:
        photos: Photos in it.
        decided: Photos with a class, or ``NEITHER``.
        disputed: Photos whose reviewers disagree.
        undecided: Photos of which nobody could tell.
    """

    photos: int
    decided: int
    disputed: int
    undecided: int

    @property
    def reviewed(self) -> int:
        """Photos with an answer."""
        return self.decided + self.disputed + self.undecided


def draw_photos(
    captures: pl.LazyFrame,
    drawn: Collection[str],
    request: DrawRequest,
    *,
    now: datetime,
    token: str,
    seed: int,
) -> Draw:
    """Draw photos at random, those below the threshold and the others apart.

    Photos of earlier draws are not drawn again but belong to the population: all draws of one
    population together are one random sample of it without replacement.

    Args:
        captures: At least ``DRAWABLE`` and ``row``.
        drawn: Ids of the photos of earlier draws.
        request: What is wanted.
        now: Time of the draw.
        token: Makes its id unique.
        seed: Of the random numbers.

    Raises:
        WorkflowError: ``NothingToReview``.
    """
    rows = captures.select("confidence", "row", "inference_time").with_row_index()
    rows = rows.filter(pl.col("row") == 0)  # one photo, however many rows its answer has
    if request.since is not None:
        start = datetime.combine(request.since, time(), now.tzinfo)
        rows = rows.filter(pl.col("inference_time") >= start)
    found = rows.select("index", rejected=pl.col("confidence") < request.threshold).collect()
    parts = [found.filter("rejected")["index"], found.filter(~pl.col("rejected"))["index"]]
    # As many more as may turn out to be drawn already, which only their ids tell.
    enough = request.size + len(drawn)
    picks = [part.sample(min(enough, len(part)), shuffle=True, seed=seed) for part in parts]
    photos = _build_photos(captures, pl.concat(picks), request.threshold)
    free = [
        [photo for id_, photo in photos.items() if id_ not in drawn and photo.stratum is stratum]
        for stratum in Stratum
    ]
    counts = split(request.size, request.random_share, *map(len, free))
    chosen = [photo for part, count in zip(free, counts, strict=True) for photo in part[:count]]
    random.Random(seed).shuffle(chosen)  # noqa: S311 - chance, no secret
    return Draw(
        id=draw_id(now, token),
        at=now,
        by=request.by,
        threshold=request.threshold,
        strata={
            stratum: StratumSize(len(part), count)
            for stratum, part, count in zip(Stratum, parts, counts, strict=True)
        },
        photos=tuple(chosen),
        since=request.since,
    )


def _build_photos(captures: pl.LazyFrame, places: pl.Series, threshold: float) -> dict[str, Photo]:
    """Return the photos at these places by id, in the same order; one captured twice once."""
    order = pl.DataFrame({"index": places}).lazy().with_row_index("order")
    rows = (
        order.join(captures.select(DRAWABLE).with_row_index(), on="index").sort("order").collect()
    )
    photos = [_build_photo(row, threshold) for row in rows.iter_rows(named=True)]
    return {photo.id: photo for photo in photos}


def _build_photo(row: Mapping[str, Any], threshold: float) -> Photo:
    return Photo(
        id=row["inference_id"] or row["event_id"],
        place=Place(row["key"], row["offset"], row["length"], gzipped=bool(row["gzipped"])),
        stratum=Stratum.REJECTED if row["confidence"] < threshold else Stratum.ACCEPTED,
        endpoint=row["endpoint"],
        variant=row["variant"],
        label=row["label"],
        confidence=row["confidence"],
        at=row["inference_time"],
    )


def open_slots(
    draw: Draw,
    leases: Mapping[str, datetime],
    verdicts: Mapping[str, Verdict],
    *,
    reviewer: str,
    now: datetime,
) -> list[Slot]:
    """Return the photos that a reviewer may be shown, the next one first.

    Args:
        draw: The draw.
        leases: When each lease was taken or renewed, by ``Slot.name``.
        verdicts: On photos, by id.
        reviewer: Who asks.
        now: Decides which leases have ended.
    """
    found = []
    for number, photo in enumerate(draw.photos):
        verdict = verdicts.get(photo.id)
        opinion = 2 if verdict else 1
        if verdict and not _wants_second(draw, number, verdict, reviewer):
            continue
        slot = Slot(number, opinion)
        taken = leases.get(slot.name)
        if taken is None or now - taken >= LEASE:
            found.append(slot)
    return found


def _wants_second(draw: Draw, number: int, verdict: Verdict, reviewer: str) -> bool:
    """Return whether this reviewer may give the second opinion that a photo still lacks."""
    only = verdict.answers[0].reviewer if len(verdict.answers) == 1 else reviewer
    return draw.needs_second_opinion(number) and only != reviewer


def compute_progress(draw: Draw, verdicts: Mapping[str, Verdict]) -> Progress:
    """Return how far a draw is."""
    known = [verdicts[photo.id] for photo in draw.photos if photo.id in verdicts]
    statuses = [verdict.status for verdict in known]
    return Progress(
        photos=len(draw.photos),
        decided=sum(verdict.label is not None for verdict in known),
        disputed=statuses.count(AgreementStatus.DISPUTED),
        undecided=statuses.count(AgreementStatus.UNDECIDED),
    )


def list_classes(
    draws: Sequence[Draw], verdicts: Mapping[str, Verdict], names: ClassNames
) -> list[int]:
    """Return the classes that a photo may be given: those of the model and those seen so far."""
    seen = {photo.label for draw in draws for photo in draw.photos}
    seen |= {verdict.label for verdict in verdicts.values() if verdict.label is not None}
    highest = max([len(names.names) - 1, *(label for label in seen if label < MOST_CLASSES)])
    return list(range(highest + 1))


def answer_name(label: int | None, names: ClassNames) -> str:
    """Return an answer in words."""
    return UNDECIDED if label is None else names.name(label)


def answer_text(label: int | None) -> str:
    """Return an answer as a label file holds it: the index of a class, or a word."""
    if label is None:
        return UNDECIDED
    return NEITHER_NAME if label == NEITHER else str(label)


def draws_table(draws: Sequence[Draw], verdicts: Mapping[str, Verdict]) -> pl.DataFrame:
    """Return one row a draw, the newest first; the threshold in percent."""
    rows = [
        {
            "Drawn": draw.at,
            "By": draw.by,
            "Photos": len(draw.photos),
            "Reviewed": compute_progress(draw, verdicts).reviewed,
            "Threshold": 100 * draw.threshold,
            **{f"Of the {stratum}": _format_chance(draw.strata[stratum]) for stratum in Stratum},
        }
        for draw in draws
    ]
    return pl.DataFrame(rows)


def _format_chance(size: StratumSize) -> str:
    return f"{size.drawn:,} of {size.population:,} ({size.probability:.2%})"
