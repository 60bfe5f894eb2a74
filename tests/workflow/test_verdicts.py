"""What several answers to one photo come to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.reviews import NEITHER, Review
from workflow.verdicts import Answer, Status, agreement, verdicts

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


def answer(reviewer: str, label: int | None, minute: int = 0, *, settles: bool = False) -> Answer:
    review = Review(reviewer=reviewer, settles=settles)
    return Answer("photo", label, AT + timedelta(minutes=minute), f"{reviewer}-{minute}", review)


@pytest.mark.parametrize(
    ("answers", "status", "label"),
    [
        ([answer("ada", 0)], Status.AGREED, 0),
        ([answer("ada", 0), answer("bob", 0)], Status.AGREED, 0),
        ([answer("ada", 0), answer("bob", 1)], Status.DISPUTED, None),
        ([answer("ada", 0), answer("bob", NEITHER)], Status.DISPUTED, None),
        ([answer("ada", None)], Status.UNDECIDED, None),
        ([answer("ada", None), answer("bob", 1)], Status.AGREED, 1),
        ([answer("ada", 0), answer("ada", 1, 1)], Status.AGREED, 1),
        ([answer("ada", 0), answer("ada", None, 1)], Status.UNDECIDED, None),
        (
            [answer("ada", 0), answer("bob", 1), answer("eve", 1, 1, settles=True)],
            Status.SETTLED,
            1,
        ),
        ([answer("ada", 0), answer("ada", 1, 1, settles=True)], Status.SETTLED, 1),
    ],
)
def test_answers_come_to_a_verdict(
    answers: list[Answer], status: Status, label: int | None
) -> None:
    found = verdicts(answers)["photo"]

    assert (found.status, found.label) == (status, label)


def test_two_label_files_of_other_programs_may_disagree() -> None:
    files = [Answer("photo", label, AT, f"ground_truth/{label}.jsonl") for label in (0, 1)]

    assert verdicts(files)["photo"].status is Status.DISPUTED


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, -1, 0, 1])), min_size=1))
def test_the_order_in_which_answers_are_read_does_not_matter(said: list[tuple[str, int]]) -> None:
    answers = [answer(who, label, minute) for minute, (who, label) in enumerate(said)]

    assert verdicts(answers) == verdicts(reversed(answers))


def test_agreement_counts_photos_that_two_reviewers_could_tell() -> None:
    answers = [answer("ada", 0), answer("bob", 1), answer("eve", 1, 1, settles=True)]
    other = [Answer("other", 1, AT, who, Review(reviewer=who)) for who in ("ada", "bob")]
    single = [Answer("single", 1, AT, "ada", Review(reviewer="ada"))]

    assert agreement(verdicts([*answers, *other, *single])) == (1, 2)
