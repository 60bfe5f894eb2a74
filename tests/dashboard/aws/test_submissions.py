"""Submitting images to a real local cloud."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dashboard.aws import cloud, submissions
from dashboard.aws.cloud import Connection, connect
from dashboard.aws.images import Upload
from tests.builders import png
from workflow.contract import MAX_IMAGE_BYTES, ImageLocation
from workflow.errors import WorkflowError
from workflow.executions import Outcome
from workflow.submissions import Batch, Classified, Faulted, Rejected, StoredImage, Submission

pytestmark = pytest.mark.cloud


def classify(
    connection: Connection, uploads: Sequence[Upload] = (), keys: Sequence[str] = ()
) -> list[Any]:
    steps: list[Any] = []
    taken = submissions.prepare(connection, uuid.uuid4().hex[:12], uploads, keys)
    submissions.submit(connection, taken, steps.append)
    return steps


def finals(steps: list[Any]) -> dict[str, Submission]:
    return {step[1].image.name: step[1] for step in steps if isinstance(step, tuple)}


def test_a_photo_is_stored_and_classified_by_a_real_execution(deployed: Connection) -> None:
    steps = classify(deployed, [Upload("red bike's 🚲.png", png(64, 64))])

    batch, final = steps[0], finals(steps)["red bike's 🚲.png"]
    assert isinstance(batch, Batch)
    assert isinstance(final.verdict, Classified)
    assert final.verdict.threshold == 0.5
    assert [visit.name for visit in final.visits][1:4] == [
        "SerializeImage",
        "ClassifyImage",
        "FilterInferences",
    ]
    execution = deployed.client("stepfunctions").describe_execution(
        executionArn=final.execution_arn
    )
    assert execution["stateMachineAliasArn"] == deployed.settings.alias_arn
    location = final.image.location
    assert json.loads(execution["input"]) == {
        "s3_bucket": location.bucket,
        "s3_key": location.key,
        "image_data": "",
        "inferences": [],
    }
    stored = deployed.client("s3").get_object(Bucket=location.bucket, Key=location.key)
    assert stored["ContentType"] == "image/png"
    assert submissions.fetch_stored_thumbnail(deployed, final.image).startswith(b"\xff\xd8\xff")


def test_the_progress_of_an_execution_is_told_state_by_state(deployed: Connection) -> None:
    steps = classify(deployed, [Upload("a.png", png())])

    visits = [len(step[1].visits) for step in steps if isinstance(step, tuple)]
    assert visits == sorted(visits)
    assert visits[-1] > 3


def test_one_bad_file_is_refused_and_the_others_go_on(deployed: Connection) -> None:
    steps = classify(
        deployed, [Upload("notes.png", b"text"), Upload("a.png", png())], ["images/none.png"]
    )

    assert [item.name for item in steps[0].refused] == ["notes.png", "images/none.png"]
    assert isinstance(finals(steps)["a.png"].verdict, Classified)


@pytest.mark.parametrize(
    "key",
    ["odd/with spaces.png", 'odd/it\'s "quoted".png', "odd/自行车 🚲.png", "odd/a+b&c=d%20.png"],
)
def test_an_image_that_lies_in_s3_is_classified_by_its_key(deployed: Connection, key: str) -> None:
    bucket = deployed.settings.bucket
    key = f"images/{key}"
    deployed.client("s3").put_object(Bucket=bucket, Key=key, Body=png())

    by_key = finals(classify(deployed, keys=[f"/{key}"]))[key]
    by_address = finals(classify(deployed, keys=[f"s3://{bucket}/{key}"]))[key]

    assert isinstance(by_key.verdict, Classified)
    assert by_address.verdict == by_key.verdict


@pytest.mark.parametrize(
    ("key", "code", "remedy"),
    [
        ("images/none.png", "404", "Check the spelling"),
        ("s3://no-bucket-of-anybodys-here/a.png", "404", "Check the spelling"),
        ("/", "AddressInvalid", "Give a key"),
        ("s3://bucket", "AddressInvalid", "Give a key"),
    ],
)
def test_a_key_that_leads_nowhere_is_refused_with_a_remedy(
    deployed: Connection, key: str, code: str, remedy: str
) -> None:
    (batch,) = classify(deployed, keys=[key])

    (refusal,) = batch.refused
    assert (refusal.name, refusal.code) == (key, code)
    assert remedy in refusal.remedy


def test_an_object_over_the_endpoints_limit_is_refused_before_anything_starts(
    deployed: Connection,
) -> None:
    body = png() + bytes(MAX_IMAGE_BYTES)
    deployed.client("s3").put_object(
        Bucket=deployed.settings.bucket, Key="images/huge.png", Body=body
    )

    (batch,) = classify(deployed, keys=["images/huge.png"])

    assert batch.refused[0].code == "ImageTooLarge"
    assert f"{MAX_IMAGE_BYTES:,}" in batch.refused[0].message


def test_what_is_no_image_though_its_key_says_so_is_a_fault_with_its_remedy(
    deployed: Connection,
) -> None:
    bucket = deployed.settings.bucket
    deployed.client("s3").put_object(Bucket=bucket, Key="images/notes.png", Body=b"only text")

    final = finals(classify(deployed, keys=["images/notes.png"]))["images/notes.png"]

    assert isinstance(final.verdict, Faulted)
    assert (final.verdict.state, final.verdict.error) == ("SerializeImage", "NotAnImage")
    assert final.verdict.message.endswith("Submit a PNG or a JPEG.")
    with pytest.raises(WorkflowError, match="is text"):
        submissions.fetch_stored_thumbnail(deployed, final.image)


def test_a_batch_is_found_again_and_nothing_is_started_twice(deployed: Connection) -> None:
    first = classify(deployed, [Upload("a.png", png()), Upload("b.png", png(8, 8))])
    batch = first[0]
    again: list[Any] = []

    submissions.resume(deployed, batch.id, again.append)

    assert again[0] == batch
    assert finals(again) == finals(first)


def test_what_never_started_starts_when_the_batch_is_found_again(deployed: Connection) -> None:
    bucket = deployed.settings.bucket
    deployed.client("s3").put_object(Bucket=bucket, Key="images/late.png", Body=png())
    (batch,) = classify(deployed)
    image = StoredImage("late.png", ImageLocation(bucket, "images/late.png"), "")
    submissions._save_batch(deployed, replace(batch, images=(image,)))
    steps: list[Any] = []

    submissions.resume(deployed, batch.id, steps.append)

    assert isinstance(finals(steps)["late.png"].verdict, Classified)


def test_a_batch_that_was_never_made_is_not_found(deployed: Connection) -> None:
    with pytest.raises(WorkflowError) as caught:
        submissions.resume(deployed, "abcdef0123456789", lambda _: None)

    assert caught.value.code == "NoSuchKey"


def test_a_batch_where_nothing_is_deployed_says_to_deploy(empty: Connection) -> None:
    with pytest.raises(WorkflowError, match="Deploy") as caught:
        classify(empty, [Upload("a.png", png())])

    assert caught.value.code == "NoSuchBucket"


def test_it_is_known_whether_the_workflow_is_deployed(
    deployed: Connection, empty: Connection
) -> None:
    assert submissions.is_deployed(deployed)
    assert not submissions.is_deployed(empty)


def test_a_state_machine_that_is_gone_is_every_images_fault(environ: dict[str, str]) -> None:
    bare = connect({**environ, "SCONES_PROJECT": "bare"})  # nobody else's: it gets a bucket
    bare.client("s3").create_bucket(Bucket=bare.settings.bucket)

    final = finals(classify(bare, [Upload("a.png", png()), Upload("b.png", png(8, 8))]))

    assert len(final) == 2
    for submission in final.values():
        assert isinstance(submission.verdict, Faulted)
        assert submission.verdict.outcome is Outcome.FAULTED
        assert submission.verdict.remedy


def test_many_images_go_through_together(deployed: Connection) -> None:
    uploads = [Upload(f"{n}.png", png(16 + n, 16)) for n in range(40)]

    final = finals(classify(deployed, uploads))

    assert len(final) == 40
    assert all(isinstance(one.verdict, Classified | Rejected) for one in final.values())


def test_a_cloud_that_does_not_answer_is_said_to_be_out_of_reach(deployed: Connection) -> None:
    core = cloud._LocalSession("http://127.0.0.1:9")
    core.set_credentials("local", "local")
    gone = replace(deployed, session=cloud._make_session(core, "us-east-1"), _clients={})
    image = StoredImage("a.png", ImageLocation("b", "k"))

    with pytest.raises(WorkflowError, match="could not be reached"):
        submissions.is_deployed(gone)
    with pytest.raises(WorkflowError, match="could not be reached"):
        submissions._start_execution(gone, "name", image)
