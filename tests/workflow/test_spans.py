"""Spans of time: what two share, what is left of one, and their words."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from workflow.spans import Span


def at(hour: int) -> datetime:
    return datetime(2026, 11, 23, hour, tzinfo=UTC)


ALWAYS = Span()


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (Span(at(1), at(5)), Span(at(3), at(9)), Span(at(3), at(5))),
        (Span(at(1), at(5)), ALWAYS, Span(at(1), at(5))),
        (Span(at(1)), Span(end=at(5)), Span(at(1), at(5))),
        (Span(at(1), at(3)), Span(at(3), at(5)), None),
        (ALWAYS, ALWAYS, ALWAYS),
    ],
)
def test_two_spans_share_what_lies_in_both(one: Span, other: Span, shared: Span | None) -> None:
    assert one.meet(other) == other.meet(one) == shared


@pytest.mark.parametrize(
    ("whole", "taken", "left"),
    [
        (ALWAYS, Span(at(3), at(5)), (Span(end=at(3)), Span(at(5)))),
        (Span(at(1), at(9)), Span(at(3), at(5)), (Span(at(1), at(3)), Span(at(5), at(9)))),
        (Span(at(1), at(9)), Span(at(3)), (Span(at(1), at(3)),)),
        (Span(at(1), at(9)), Span(end=at(3)), (Span(at(3), at(9)),)),
        (Span(at(3), at(4)), Span(at(1), at(9)), ()),
        (Span(at(1), at(3)), Span(at(5), at(9)), (Span(at(1), at(3)),)),
        (ALWAYS, ALWAYS, ()),
    ],
)
def test_taking_a_span_out_leaves_what_lies_on_its_sides(
    whole: Span, taken: Span, left: tuple[Span, ...]
) -> None:
    assert whole.without(taken) == left


def test_a_span_that_ends_before_it_begins_is_empty() -> None:
    assert Span(at(5), at(3)).is_empty
    assert Span(at(3), at(3)).is_empty
    assert not Span(at(3), at(5)).is_empty
    assert not ALWAYS.is_empty


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (Span(at(3), at(5)), "2026-11-23 03:00:00 to 2026-11-23 05:00:00 UTC"),
        (Span(at(3).astimezone(timezone(timedelta(hours=2)))), "from 2026-11-23 03:00:00 UTC on"),
        (Span(end=at(5)), "until 2026-11-23 05:00:00 UTC"),
        (ALWAYS, "any time"),
    ],
)
def test_a_span_has_words(span: Span, words: str) -> None:
    assert span.words() == words


def test_a_span_has_words_in_a_zone() -> None:
    span = Span(datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 23, 23, 30, tzinfo=UTC))

    said = span.words(ZoneInfo("Europe/Berlin"))

    assert said == "2026-11-23 11:00:00 to 2026-11-24 00:30:00 Europe/Berlin"
