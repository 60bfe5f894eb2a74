"""Spans: a listing that is cut anywhere resumes without a gap and without starting over."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.executions.listed_span import (
    OVERLAP,
    TOKEN_LIFE,
    ListedSpan,
    drop_covered,
    join_spans,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def span(newest: float, oldest: float, *, token: str | None = None, given: float = 0) -> ListedSpan:
    return ListedSpan(newest=ago(newest), oldest=ago(oldest), token=token, token_at=ago(given))


def test_a_page_that_reaches_into_a_complete_span_completes_the_listing() -> None:
    met = join_spans(span(0, 60, token="t"), [span(30, 500)], now=NOW)
    assert met == span(0, 500)
    assert met.complete


def test_a_page_that_reaches_into_a_cut_span_goes_on_from_its_token() -> None:
    met = join_spans(span(0, 60, token="top"), [span(30, 500, token="deep", given=90)], now=NOW)
    assert met.token == "deep"
    assert met.oldest == ago(500)
    assert not met.complete


def test_touching_is_not_enough_because_listing_is_eventually_consistent() -> None:
    top = span(0, 60, token="t")
    just_below = ListedSpan(ago(60) + OVERLAP - timedelta(seconds=1), ago(500), None, ago(60))
    assert join_spans(top, [just_below], now=NOW) == top


def test_an_expired_token_is_not_followed() -> None:
    life = TOKEN_LIFE.total_seconds() / 60
    top = span(0, 60, token="t")
    assert join_spans(top, [span(30, 500, token="old", given=life + 1)], now=NOW) == top


def test_several_spans_are_crossed_in_one_go() -> None:
    known = [span(900, 5000), span(30, 1000, token="a")]
    assert join_spans(span(0, 60, token="t"), known, now=NOW).complete


def test_a_span_that_ends_above_the_page_is_no_shortcut() -> None:
    top = span(0, 60, token="t")
    assert join_spans(top, [span(10, 40, token="shallow")], now=NOW) == top


def test_a_page_that_ends_at_the_same_start_does_not_go_back_to_an_older_token() -> None:
    """Found when 1,500 executions started in one second: the listing went round for ever."""
    before = span(0, 60, token="second page")
    last = span(0, 60)
    assert join_spans(last, [before], now=NOW) == last
    third = span(0, 60, token="third page")
    assert join_spans(third, [before], now=NOW) == third


def test_folding_drops_what_a_later_page_of_the_same_pass_says_better() -> None:
    first, second, last = span(0, 10, token="1"), span(0, 20, token="2"), span(0, 30)
    assert drop_covered([first, last, second]) == (last,)


def test_folding_keeps_a_complete_span_beside_a_newer_cut_one() -> None:
    cut, whole = span(0, 10, token="1"), span(60, 900)
    assert drop_covered([whole, cut]) == (cut, whole)


def test_folding_keeps_completeness_when_two_reach_equally_deep() -> None:
    cut, whole = span(0, 900, token="1"), span(60, 900)
    assert drop_covered([cut, whole]) == (cut, whole)


@given(
    st.integers(30, 200).flatmap(
        lambda total: st.tuples(st.just(total), st.lists(st.integers(1, 6), min_size=1, max_size=8))
    )
)
def test_a_listing_cut_anywhere_ends_complete_and_without_a_gap(
    plan: tuple[int, list[int]],
) -> None:
    """One execution a minute, ten a page; each pass is killed after so many pages."""
    total, cuts = plan
    seen: set[int] = set()
    known: tuple[ListedSpan, ...] = ()
    for pages in [*cuts, total]:
        now_at = total
        total += 7  # what starts between two passes
        known, listed = walk(total, known, pages)
        seen |= listed
        assert now_at <= total
    assert seen == set(range(total))
    assert known[0].complete


def walk(
    total: int, known: tuple[ListedSpan, ...], pages: int
) -> tuple[tuple[ListedSpan, ...], set[int]]:
    epoch = NOW - timedelta(days=1)
    listed: set[int] = set()
    current: ListedSpan | None = None
    token: int | None = total
    for _ in range(pages):
        if token is None:
            break
        page = range(max(0, token - 10), token)
        listed |= set(page)
        following = page.start or None
        newest = current.newest if current else epoch + timedelta(minutes=page.stop - 1)
        current = ListedSpan(
            newest, epoch + timedelta(minutes=page.start), following and str(following), NOW
        )
        current = join_spans(current, known, now=NOW)
        known = drop_covered([*known, current])
        token = int(current.token) if current.token else None
    return known, listed


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_folding_does_not_depend_on_the_order_of_arrival(order: tuple[int, int, int]) -> None:
    spans = [span(0, 10, token="1"), span(5, 900), span(0, 30, token="2")]
    assert drop_covered(spans[at] for at in order) == drop_covered(spans)
