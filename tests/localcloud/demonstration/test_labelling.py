"""The draw of the demonstration: a random sample of each stratum, most of it labelled."""

from datetime import UTC, datetime
from random import Random

from localcloud.demonstration import labelling
from workflow.captures import Capture
from workflow.draws import Stratum

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RANDOM = Random(1)  # noqa: S311 - a history keeps no secret


def capture(number: int) -> Capture:
    confidence = 0.6 if number % 10 == 0 else 0.97
    return Capture(
        event_id=f"event-{number}",
        inference_id=f"photo-{number}",
        inference_time=NOW,
        endpoint="endpoint",
        variant="AllTraffic",
        probabilities=(confidence, 1 - confidence),
        label=0,
        confidence=confidence,
        key="captures/one.jsonl",
        line=number + 1,
        offset=10 * number,
        length=9,
    )


def test_a_draw_knows_its_strata_and_where_each_photo_lies() -> None:
    draw = labelling.draw_photos([capture(n) for n in range(400)], 0.93, NOW, RANDOM)

    sizes = {stratum: (one.population, one.drawn) for stratum, one in draw.strata.items()}
    assert sizes == {Stratum.REJECTED: (40, 40), Stratum.ACCEPTED: (360, 60)}
    assert len({photo.id for photo in draw.photos}) == labelling.SIZE
    for photo in draw.photos:
        number = int(photo.id.removeprefix("photo-"))
        assert photo.place.offset == 10 * number
        assert (photo.stratum is Stratum.REJECTED) == (number % 10 == 0)


def test_most_photos_of_a_draw_have_the_label_of_what_they_show() -> None:
    draw = labelling.draw_photos([capture(n) for n in range(400)], 0.93, NOW, RANDOM)
    kinds = {f"photo-{n}": ("bicycle", "motorcycle", "other")[n % 3] for n in range(400)}

    said = labelling.label_photos(draw, kinds, NOW)

    assert [one.event_id for one in said] == [p.id for p in draw.photos[: labelling.LABELLED]]
    assert all(one.review and one.review.draw == draw.id for one in said)
    told = {one.event_id: one.label for one in said}
    words = {"bicycle": "0", "motorcycle": "1", "other": "neither"}
    assert told == {id_: words[kinds[id_]] for id_ in told}
