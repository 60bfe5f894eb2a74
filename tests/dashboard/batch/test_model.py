"""What the Batch page says, without a cloud."""

import datetime as dt

from dashboard.batch import charts, model
from workflow.batch_results import BINS, KEPT, PhotoResult, summarise
from workflow.batches import BatchEstimate, MapRunProgress

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)


def progress(**fields: object) -> MapRunProgress:
    given: dict[str, object] = {
        "arn": "arn:map-run",
        "status": "RUNNING",
        "started": NOW - dt.timedelta(seconds=60),
        "stopped": None,
        "total": 1000,
        "done": 240,
        "running": 40,
        "failed": 10,
        "concurrency": 2,
        "redrives": 0,
    }
    return MapRunProgress(**(given | fields))  # type: ignore[arg-type]


def test_a_running_batch_tells_its_pace() -> None:
    told = model.progress_says(progress(), "RUNNING", NOW)

    assert told == (
        "250 of 1,000 photos, 10 in child executions that failed or were stopped, 2 child"
        " executions at once, about 3.0 min left at this pace."
    )


def test_a_batch_that_has_not_begun_or_never_did_says_so() -> None:
    assert "It is reading" in model.progress_says(None, "RUNNING", NOW)
    assert "before it started" in model.progress_says(None, "FAILED", NOW)


def test_a_redriven_batch_tells_no_pace_of_a_time_in_which_it_stood_still() -> None:
    told = model.progress_says(progress(redrives=1), "RUNNING", NOW)

    assert "left" not in told
    assert "redriven 1 time" in told


def test_an_estimate_is_told_in_one_line() -> None:
    known = BatchEstimate(items=1, children=1, seconds=7200, usd=4.2, says="")
    unknown = BatchEstimate(items=1, children=1, seconds=None, usd=None, says="")

    assert model.estimate_says(known) == "About 2.0 h and about 4.20 USD"
    assert model.estimate_says(unknown) == "An unknown time and an unknown price"


RESULTS = (
    PhotoResult(address="s3://b/1", outcome="accepted", label="bicycle", confidence=0.99),
    PhotoResult(address="s3://b/2", outcome="rejected", label="bicycle", confidence=0.6),
    PhotoResult(address="s3://b/3", outcome="unreadable", error="NotAnImage"),
    PhotoResult(address="", outcome="unreadable", error="InvalidInput"),
    PhotoResult(address="s3://b/4", outcome="failed", error="EndpointNotFound"),
)


def test_outcomes_are_counted_and_listed_the_doubtful_first() -> None:
    found = summarise(RESULTS)

    assert found.counts == {"accepted": 1, "rejected": 1, "unreadable": 2, "failed": 1}
    assert found.labels == {"bicycle": 2}
    assert {name: sum(bins) for name, bins in found.confidence.items()} == {
        "accepted": 1,
        "rejected": 1,
    }
    assert model.results_table(RESULTS, "")["confidence"].to_list() == [None, None, None, 0.6, 0.99]
    assert model.results_table(RESULTS, "rejected")["photo"].to_list() == ["s3://b/2"]
    assert model.results_table((), "").is_empty()


def test_what_failed_can_be_classified_again_where_it_has_an_address() -> None:
    assert [one.address for one in model.photos_to_repeat(RESULTS)] == ["s3://b/3", "s3://b/4"]


def test_a_large_batch_is_counted_in_full_and_its_least_certain_photos_are_kept() -> None:
    number = 3 * KEPT
    results = (
        PhotoResult(
            address=f"s3://b/{n}", outcome="accepted", label="bicycle", confidence=n / number
        )
        for n in reversed(range(number))
    )

    found = summarise(results)

    assert found.counts["accepted"] == found.labels["bicycle"] == number
    assert sum(found.confidence["accepted"]) == number
    assert [one.address for one in found.kept] == [f"s3://b/{n}" for n in range(KEPT)]


def test_a_certain_photo_is_in_the_last_bin_and_shares_add_up() -> None:
    certain = PhotoResult(address="s3://b/1", outcome="accepted", label="a", confidence=1.0)
    bins = summarise([certain]).confidence["accepted"]

    assert bins == (0,) * (BINS - 1) + (1,)
    assert charts.draw_confidence({"accepted": bins}).data[1].y == bins
    assert model.class_shares({"a": 3, "b": 1})["share"].to_list() == [0.75, 0.25]
    assert model.class_shares({}).is_empty()
