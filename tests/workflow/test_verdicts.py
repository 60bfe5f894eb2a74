"""What several answers to one photo come to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.reviews import NEITHER, Review
from workflow.verdicts import AgreementStatus, ReviewAnswer, agreement, verdicts

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


def answer(
    reviewer: str, label: int | None, minute: int = 0, *, settles: bool = False
) -> ReviewAnswer:
    review = Review(reviewer=reviewer, settles=settles)
    return ReviewAnswer(
        "photo", label, AT + timedelta(minutes=minute), f"{reviewer}-{minute}", review
    )


@pytest.mark.parametrize(
    ("answers", "status", "label"),
    [
        ([answer("ada", 0)], AgreementStatus.AGREED, 0),
        ([answer("ada", 0), answer("bob", 0)], AgreementStatus.AGREED, 0),
        ([answer("ada", 0), answer("bob", 1)], AgreementStatus.DISPUTED, None),
        ([answer("ada", 0), answer("bob", NEITHER)], AgreementStatus.DISPUTED, None),
        ([answer("ada", None)], AgreementStatus.UNDECIDED, None),
        ([answer("ada", None), answer("bob", 1)], AgreementStatus.AGREED, 1),
        ([answer("ada", 0), answer("ada", 1, 1)], AgreementStatus.AGREED, 1),
        ([answer("ada", 0), answer("ada", None, 1)], AgreementStatus.UNDECIDED, None),
        (
            [answer("ada", 0), answer("bob", 1), answer("eve", 1, 1, settles=True)],
            AgreementStatus.SETTLED,
            1,
        ),
        ([answer("ada", 0), answer("ada", 1, 1, settles=True)], AgreementStatus.SETTLED, 1),
    ],
)
def test_answers_come_to_a_verdict(
    answers: list[ReviewAnswer], status: AgreementStatus, label: int | None
) -> None:
    found = verdicts(answers)["photo"]

    assert (found.status, found.label) == (status, label)


def test_two_label_files_of_other_programs_may_disagree() -> None:
    files = [ReviewAnswer("photo", label, AT, f"ground_truth/{label}.jsonl") for label in (0, 1)]

    assert verdicts(files)["photo"].status is AgreementStatus.DISPUTED


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, -1, 0, 1])), min_size=1))
def test_the_order_in_which_answers_are_read_does_not_matter(said: list[tuple[str, int]]) -> None:
    answers = [answer(who, label, minute) for minute, (who, label) in enumerate(said)]

    assert verdicts(answers) == verdicts(reversed(answers))


def test_agreement_counts_photos_that_two_reviewers_could_tell() -> None:
    answers = [answer("ada", 0), answer("bob", 1), answer("eve", 1, 1, settles=True)]
    other = [ReviewAnswer("other", 1, AT, who, Review(reviewer=who)) for who in ("ada", "bob")]
    single = [ReviewAnswer("single", 1, AT, "ada", Review(reviewer="ada"))]

    assert agreement(verdicts([*answers, *other, *single])) == (1, 2)
