"""Faults of AWS at what a page writes into S3: said with a remedy, and there once when repeated."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from dashboard.alerts import log
from dashboard.alerts.client import Alert
from dashboard.alerts.outbox import AlertOutbox
from dashboard.alerts.silences import SILENCES_PREFIX, silence_check
from dashboard.aws.cloud import Connection
from dashboard.aws.objects import Bucket
from dashboard.failures.notes import NOTES_PREFIX, TRIAGE_PREFIX, NoteLog
from dashboard.review.client import DRAWS_PREFIX, ReviewClient
from dashboard.review.model import DrawRequest, draw_photos
from dashboard.training import client as training
from dashboard.training.model import PREFIX, Labelled
from tests.captured import NOW, captured
from tests.desk import NIGHTLY_TOO, Desk, has_remedy
from tests.faulty_cloud import Fault
from workflow.draws import Photo
from workflow.errors import WorkflowError
from workflow.triage_notes import TriageAction, TriageEvent
from workflow.verdicts import AgreementStatus, Verdict

pytestmark = pytest.mark.cloud

Write = Callable[[Connection, str], object]


def write_note(cloud: Connection, name: str) -> None:
    note = TriageEvent(
        id=name,
        at=NOW,
        author="ana",
        fingerprint="f" * 16,
        action=TriageAction.COMMENT,
        text="looked at",
    )
    NoteLog(cloud.client("s3"), cloud.watched.bucket).append(note)


def write_silence(cloud: Connection, name: str) -> None:
    until = NOW + timedelta(hours=1)
    moment = NOW + timedelta(microseconds=int(name[:5], 16) % 999_999)
    silence_check(cloud.client("s3"), cloud.watched.bucket, "data-health", until, now=moment)


def mark_read(cloud: Connection, name: str) -> None:
    log.mark_read(cloud, (log.SentAlert(name, "subject", "", NOW, read=False),))


def add_alert(cloud: Connection, name: str) -> None:
    s3, sns = cloud.client("s3"), cloud.client("sns")
    AlertOutbox(s3, sns, cloud.watched.bucket, "topic").add(Alert(name, "subject", "body"))


def add_draw(cloud: Connection, name: str) -> None:
    ReviewClient(cloud).add_draw(some_draw(name))


def some_draw(name: str) -> Any:
    request = DrawRequest(size=9, random_share=1.0, threshold=0.9, since=None, by="ada")
    return draw_photos(captured(20).lazy(), (), request, now=NOW, token=name, seed=0)


def read_any(_: Bucket, photo: Photo, label: int) -> training._Read:
    """Read a photo of its own for each id."""
    digest = hashlib.sha256(photo.id.encode()).hexdigest()
    bits = np.frombuffer(bytes.fromhex(digest), np.uint64)
    return training._Read(Labelled(photo.id, label, digest, ".jpg", "key"), b"photo", bits)


@pytest.fixture
def before(deployed: Connection) -> Iterator[set[str]]:
    """The keys of the bucket; those that come are deleted, for other tests share it."""
    found = keys(deployed, "")
    yield found
    s3, bucket = deployed.client("s3"), deployed.watched.bucket
    for key in keys(deployed, "") - found:
        if not key.startswith("audit/"):
            s3.delete_object(Bucket=bucket, Key=key)


def keys(cloud: Connection, prefix: str) -> set[str]:
    s3 = cloud.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=cloud.watched.bucket, Prefix=prefix)
    return {one["Key"] for page in pages for one in page.get("Contents", ())}


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(
    ("write", "prefix"),
    [
        (write_note, NOTES_PREFIX),
        (write_silence, SILENCES_PREFIX),
        (mark_read, log.READ_PREFIX),
        (add_alert, f"{TRIAGE_PREFIX}outbox/"),
        (add_draw, f"{DRAWS_PREFIX}/"),
    ],
)
def test_what_a_page_writes_is_there_once_whatever_is_lost(
    desk: Desk, before: set[str], write: Write, prefix: str, fault: Fault, *, lost: bool
) -> None:
    name = uuid.uuid4().hex
    desk.faulty.fail(fault, since=f"PUT /{desk.cloud.watched.bucket}/", lost=lost)

    with pytest.raises(WorkflowError) as caught:
        write(desk.connection, name)
    assert has_remedy(caught.value)
    assert len(keys(desk.cloud, prefix) - before) == lost
    desk.faulty.heal()
    write(desk.connection, name)

    assert len(keys(desk.cloud, prefix) - before) == 1


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
def test_a_training_set_that_s3_does_not_take_has_no_list_and_the_next_is_whole(
    desk: Desk, before: set[str], monkeypatch: pytest.MonkeyPatch, fault: Fault, *, lost: bool
) -> None:
    draw, known = some_draw(uuid.uuid4().hex), AgreementStatus.AGREED
    verdicts = {one.id: Verdict(known, at % 2, ()) for at, one in enumerate(draw.photos)}
    monkeypatch.setattr(training, "_read_photo", read_any)

    def export() -> training.Exported:
        photos: Any = None  # none is read
        return training.export_set(desk.connection, photos, [draw], verdicts, lambda _: None)

    desk.faulty.fail(fault, since=f"PUT /{desk.cloud.watched.bucket}/", lost=lost)
    with pytest.raises(WorkflowError) as caught:
        export()
    assert has_remedy(caught.value)
    assert not [key for key in keys(desk.cloud, PREFIX) - before if key.endswith(".lst")]
    desk.faulty.heal()

    made = export()

    written = keys(desk.cloud, made.url.split("/", 3)[3])
    assert len([key for key in written if key.endswith(".jpg")]) == len(draw.photos)
    assert {"train.lst", "test.lst", "manifest.json"} < {key.split("/")[-1] for key in written}
