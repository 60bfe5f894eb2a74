"""What the Classify page shows of a batch."""

import io
from datetime import UTC, datetime, timedelta

import pandas as pd

from dashboard.classify import model as classify
from dashboard.shared.palette import STYLES
from workflow.contract import ImageLocation
from workflow.executions import Outcome
from workflow.submissions import (
    Batch,
    Classified,
    Faulted,
    Refusal,
    Rejected,
    StoredImage,
    Submission,
    Verdict,
)
from workflow.timelines import Attempt, StateVisit, VisitStatus

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ARN = "arn:aws:states:us-east-1:123456789012:execution:scones:one"
BICYCLE = StoredImage("bicycle.png", ImageLocation("b", "images/1/bicycle.png"), "ab")
SECOND = StoredImage("second.png", ImageLocation("b", "images/2/second.png"), "cd")
BATCH = Batch(
    id="abcdef01",
    created_at=NOW,
    images=(BICYCLE, SECOND),
    refused=(Refusal("notes.txt", "NotAnImage", "notes.txt is text.", "Submit a PNG."),),
)
ACCEPTED = Classified("bicycle", 0.983, 0.93)
FAULT = Faulted(Outcome.FAULTED, "SerializeImage", "ImageNotFound", "There is none. Upload it.")


def visit(name: str, kind: str = "Task", ms: int | None = 40, **fields: object) -> StateVisit:
    left = None if ms is None else NOW + timedelta(milliseconds=ms)
    values = {"status": VisitStatus.SUCCEEDED, **fields}
    return StateVisit(
        event_id=1,
        name=name,
        type=kind,
        entered_at=NOW,
        exited_at=left,
        **values,  # type: ignore[arg-type]
    )


def submitted(verdict: Verdict, *visits: StateVisit) -> Submission:
    return Submission(image=BICYCLE, execution_arn=ARN, verdict=verdict, visits=visits)


def test_a_batch_that_is_not_known_yet_is_empty() -> None:
    assert classify.batch_view([]) == classify.BatchView()


def test_images_wait_until_their_first_step() -> None:
    view = classify.batch_view([BATCH])

    assert [item.image.name for item in view.submissions] == ["bicycle.png", "second.png"]
    assert (view.done, view.counts, view.refused) == (0, {Outcome.RUNNING: 2}, BATCH.refused)
    assert classify.build_card(view.submissions[0]).headline == "queued"


def test_the_latest_step_of_an_image_counts() -> None:
    steps = [BATCH, (0, Submission(image=BICYCLE, execution_arn=ARN)), (0, submitted(ACCEPTED))]

    view = classify.batch_view(steps)

    assert (view.done, view.counts) == (1, {Outcome.ACCEPTED: 1, Outcome.RUNNING: 1})


def test_an_accepted_image_shows_label_confidence_and_threshold() -> None:
    card = classify.build_card(submitted(ACCEPTED))

    assert (card.outcome, card.headline, card.note) == (Outcome.ACCEPTED, "bicycle, 98.3%", "")
    assert (card.confidence, card.threshold) == (0.983, 0.93)
    assert card.href == f"executions?execution={ARN.replace(':', '%3A')}"


def test_a_rejection_is_shown_as_a_result_and_not_as_a_fault() -> None:
    card = classify.build_card(submitted(Rejected("bicycle", 0.71, 0.93)))

    assert (card.outcome, card.headline) == (Outcome.REJECTED, "perhaps bicycle, 71.0%")
    assert "not a fault" in card.note


def test_a_rejection_without_numbers_has_no_bar() -> None:
    card = classify.build_card(submitted(Rejected(None, None, 0.93)))

    assert (card.headline, card.confidence) == ("too uncertain", None)


def test_a_fault_names_its_state_and_keeps_the_remedy() -> None:
    card = classify.build_card(submitted(FAULT))

    assert (card.outcome, card.headline) == (Outcome.FAULTED, "ImageNotFound in SerializeImage")
    assert card.note == "There is none. Upload it."
    assert classify.build_card(
        submitted(Faulted(Outcome.ABORTED, "", "Aborted", "So."))
    ).headline == ("Aborted")


def test_an_execution_under_way_shows_the_states_so_far() -> None:
    retried = visit("SerializeImage", attempts=(Attempt(started_at=NOW), Attempt(started_at=NOW)))
    running = visit("ClassifyImage", ms=None, status=VisitStatus.RUNNING)
    begun = Submission(image=BICYCLE, execution_arn=ARN, visits=(retried, running))

    card = classify.build_card(begun)

    assert card.headline == "under way"
    assert card.steps == (
        ":material/check: SerializeImage 40 ms, 2 attempts",
        ":material/progress_activity: ClassifyImage",
    )


def test_states_that_do_no_work_are_left_out_and_failed_ones_are_marked() -> None:
    failed = visit("SerializeImage", status=VisitStatus.FAILED)

    card = classify.build_card(
        submitted(FAULT, visit("Identify", "Pass"), failed, visit("No", "Fail"))
    )

    assert card.steps == (":material/close: SerializeImage 40 ms",)


def test_a_clock_that_runs_backwards_shows_no_negative_time() -> None:
    card = classify.build_card(submitted(ACCEPTED, visit("ClassifyImage", ms=-5)))

    assert card.steps == (":material/check: ClassifyImage 0 ms",)


def test_only_the_first_twelve_images_are_cards() -> None:
    view = classify.BatchView(submissions=(submitted(ACCEPTED),) * 20)

    assert len(classify.build_cards(view)) == classify.MAX_CARDS


def test_the_table_has_every_image_and_every_refused_file() -> None:
    view = classify.batch_view([BATCH, (0, submitted(ACCEPTED, visit("A", ms=1500)))])

    frame = classify.results_table(view)

    assert list(frame.columns) == list(classify.COLUMNS)
    assert frame.drop(columns="error").iloc[0].to_dict() == {
        "image": "bicycle.png",
        "outcome": "Accepted",
        "label": "bicycle",
        "confidence": 0.983,
        "threshold": 0.93,
        "seconds": 1.5,
        "message": "bicycle, 98.3%",
        "s3_uri": "s3://b/images/1/bicycle.png",
        "execution_arn": ARN,
    }
    assert list(frame["error"].isna()) == [True, True, False]
    assert list(frame["outcome"]) == ["Accepted", "Running", "Not submitted"]
    assert frame.iloc[2]["message"] == "notes.txt is text. Submit a PNG."


def test_a_fault_in_the_table_has_its_error() -> None:
    frame = classify.results_table(classify.BatchView(submissions=(submitted(FAULT),)))

    assert (frame.iloc[0]["error"], frame.iloc[0]["outcome"]) == ("ImageNotFound", "Fault")


def test_an_execution_under_way_has_no_duration_yet() -> None:
    view = classify.BatchView(submissions=(submitted(ACCEPTED, visit("A", ms=None)),))

    assert classify.results_table(view).iloc[0]["seconds"] is None


def test_the_csv_reads_back_with_names_of_any_script() -> None:
    named = StoredImage('自行车, "eins"\n.png', ImageLocation("b", "k"))
    view = classify.BatchView(submissions=(Submission(image=named),))

    content = classify.csv_of(classify.results_table(view))

    assert content.startswith(b"\xef\xbb\xbf")
    assert pd.read_csv(io.BytesIO(content))["image"][0] == named.name


def test_the_bar_ends_at_the_confidence_in_the_colour_of_the_outcome() -> None:
    for threshold in (0.6, 0.93):
        figure = classify.confidence_figure(0.8, threshold, Outcome.REJECTED)

        (bar,) = figure.data
        assert bar.base + bar.x[0] == 0.8
        assert bar.marker.color == STYLES[Outcome.REJECTED].color
        assert figure.layout.shapes[0].x0 == threshold


def test_the_bar_begins_at_0_where_the_best_of_many_classes_has_less_than_half() -> None:
    figure = classify.confidence_figure(0.35, 0.3, Outcome.ACCEPTED)

    (bar,) = figure.data
    assert (bar.base, bar.x[0]) == (0, 0.35)
    assert figure.layout.xaxis.range == (0, 1)


def test_the_bar_is_said_in_words() -> None:
    assert classify.alt_text(classify.build_card(submitted(ACCEPTED))) == (
        "Confidence 98.3% against the threshold of 93.0%"
    )
