"""Reviews in S3: two reviewers at once, killed browsers, and labels that others wrote."""

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from dashboard.review import client as clients
from dashboard.review import model
from dashboard.review.client import ReviewClient, Reviewer
from dashboard.review.model import DrawRequest, Slot
from tests.captured import NOW, captured
from workflow.draws import Draw
from workflow.reviews import GroundTruth, Review, ground_truth_lines
from workflow.verdicts import AgreementStatus

pytestmark = pytest.mark.cloud

ADA, BOB = Reviewer("ada", "a"), Reviewer("bob", "b")


@pytest.fixture
def connection(local_cloud: Any, request: pytest.FixtureRequest) -> Any:
    bucket = f"reviews-{abs(hash(request.node.name)) % 10**10}"
    s3 = local_cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    session = boto3.Session(**local_cloud.keys, region_name=local_cloud.region)
    make = session.client
    session.client = lambda name: make(name, endpoint_url=local_cloud.endpoint_url)  # type: ignore[method-assign,assignment]
    return SimpleNamespace(
        session=session,
        watched=SimpleNamespace(bucket=bucket, classes=("bicycle", "motorcycle")),
        client=lambda _: s3,
    )


def drawn(client: ReviewClient, size: int = 30) -> Draw:
    request = DrawRequest(size=size, random_share=0.5, threshold=0.93, since=None, by="ada")
    draw = model.draw_photos(captured(200).lazy(), (), request, now=NOW, token="t", seed=1)
    client.add_draw(draw)
    return draw


def label(
    client: ReviewClient, draw: Draw, slot: Slot, who: Reviewer, given: int | None = 0
) -> None:
    truth = GroundTruth(
        draw.photos[slot.number].id,
        model.answer_text(given),
        datetime.now(UTC),
        Review(reviewer=who.name, draw=draw.id),
    )
    client.write_answer(truth, given, f"{draw.id}-{slot.name}-{who.name}")


def test_two_reviewers_at_once_never_get_one_photo_and_lose_no_label(connection: Any) -> None:
    draw = drawn(ReviewClient(connection))
    got: dict[str, list[Slot]] = {"ada": [], "bob": []}
    start = threading.Barrier(2)

    def review(who: Reviewer) -> None:
        client = ReviewClient(connection)
        client.refresh()
        start.wait()
        while slot := client.claim_slot(draw, who):
            if slot.opinion == 2:
                break
            got[who.name].append(slot)
            label(client, draw, slot, who)

    threads = [threading.Thread(target=review, args=(who,)) for who in (ADA, BOB)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = ReviewClient(connection)
    reader.refresh()

    assert not set(got["ada"]) & set(got["bob"])
    assert len(got["ada"]) + len(got["bob"]) == 30
    assert len(reader.read_verdicts()) == 30
    assert all(len(verdict.answers) == 1 for verdict in reader.read_verdicts().values())


def test_the_photo_of_a_killed_browser_comes_back_when_its_lease_ends(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ReviewClient(connection)
    draw = drawn(client, 1)

    assert client.claim_slot(draw, ADA) == Slot(0, 1)
    assert client.claim_slot(draw, BOB) is None
    monkeypatch.setattr(model, "LEASE", timedelta(0))
    assert client.claim_slot(draw, BOB) == Slot(0, 1)


def test_of_two_who_take_an_ended_lease_one_gets_it(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ReviewClient(connection)
    draw = drawn(client, 1)
    client.claim_slot(draw, ADA)
    leases = client._list_leases(draw)  # as both see them before either writes

    assert client._take_lease(draw, Slot(0, 1), BOB, leases)
    assert not client._take_lease(draw, Slot(0, 1), ADA, leases)


def test_a_photo_labelled_by_another_process_is_not_given_again(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = ReviewClient(connection), ReviewClient(connection)
    draw = drawn(mine, 1)
    mine.refresh()
    slot = other.claim_slot(draw, BOB)
    assert slot
    label(other, draw, slot, BOB)
    monkeypatch.setattr(model, "LEASE", timedelta(0))

    assert mine.claim_slot(draw, BOB) is None


def test_an_answer_written_twice_is_there_once_and_a_later_one_replaces_it(
    connection: Any,
) -> None:
    client = ReviewClient(connection)
    draw = drawn(client, 1)
    for given in (0, 0, None):
        label(client, draw, Slot(0, 1), ADA, given)
    reader = ReviewClient(connection)
    reader.refresh()

    (verdict,) = reader.read_verdicts().values()
    assert verdict == next(iter(client.read_verdicts().values()))
    assert (verdict.status, len(verdict.answers)) == (AgreementStatus.UNDECIDED, 1)


def test_labels_and_draws_of_others_are_read_and_what_is_none_is_named(connection: Any) -> None:
    client = ReviewClient(connection)
    draw = drawn(client, 1)
    s3, bucket = connection.client("s3"), connection.watched.bucket
    lines = ground_truth_lines([GroundTruth(draw.photos[0].id, "motorcycle")]) + b"junk\n"
    s3.put_object(Bucket=bucket, Key="ground_truth/2026/11/26/12/theirs.jsonl", Body=lines)
    s3.put_object(Bucket=bucket, Key=f"{clients.DRAWS_PREFIX}/x.json", Body=b"{}")
    reader = ReviewClient(connection)
    reader.refresh()

    assert reader.read_verdicts()[draw.photos[0].id].label == 1
    assert reader.list_draws() == [draw]
    assert len(reader.list_problems()) == 2
