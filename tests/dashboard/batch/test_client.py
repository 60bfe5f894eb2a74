"""Batches in a local cloud: counted, started, followed, paused, resumed, and their results."""

import json
import re
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dashboard.batch import client
from dashboard.batch.client import BatchMachine
from dashboard.captures.feed import CaptureFeed
from deploy import deployment
from tests.builders import png
from workflow.batches import BatchOptions, BatchSource, Kind, read_source
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def cloud(batches: Any) -> Any:
    return batches


@pytest.fixture
def prefix(cloud: Any) -> Any:
    return f"images/batch-{uuid.uuid4().hex[:8]}/"


def put(cloud: Any, key: Any, body: Any) -> None:
    cloud.client("s3").put_object(Bucket=cloud.settings.bucket, Key=key, Body=body)


def captured(cloud: Any, folder: Path, wanted: set[str]) -> set[str]:
    """Ids of the inferences that the Inferences page reads, once those wanted are there."""
    deadline = time.monotonic() + 120
    with closing(CaptureFeed(cloud, folder)) as feed:
        while True:
            feed.watch()
            found = set(feed.store.scan("captures").collect()["inference_id"])
            if wanted <= found:
                return found
            assert time.monotonic() < deadline, feed.problem
            time.sleep(0.2)


def ended(cloud: Any, arn: Any) -> Any:
    deadline = time.monotonic() + 120
    while (found := client.read_batch(cloud, arn)).status == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def run(cloud: Any, source: Any, **options: Any) -> Any:
    name = f"test-{uuid.uuid4().hex[:8]}"
    return ended(cloud, client.start_batch(cloud, source, BatchOptions(**options), name))


def test_a_second_plan_has_nothing_to_do(cloud: Any) -> None:
    plan = deployment.plan_batch(cloud.settings, cloud.session)

    assert plan.changes == ()
    assert client.describe_machine(cloud) is BatchMachine.CURRENT


def test_a_machine_of_earlier_functions_is_outdated_and_none_is_absent(
    cloud: Any, empty: Any
) -> None:
    states, arn = cloud.client("stepfunctions"), cloud.settings.batch_machine_arn
    before = states.describe_state_machine(stateMachineArn=arn)["definition"]
    name = cloud.settings.filter_function
    earlier = re.sub(rf"(:function:{name}):\d+", r"\1:9999", before)

    states.update_state_machine(stateMachineArn=arn, definition=earlier)
    outdated = client.describe_machine(cloud)
    states.update_state_machine(stateMachineArn=arn, definition=before)

    assert outdated is BatchMachine.OUTDATED
    assert client.describe_machine(empty) is BatchMachine.ABSENT


def test_a_prefix_is_classified_and_its_captures_are_read(
    cloud: Any, prefix: Any, tmp_path: Path
) -> None:
    for number in range(5):
        put(cloud, f"{prefix}{number}.png", png())
    put(cloud, f"{prefix}notes.txt", b"no photo")
    source = BatchSource(Kind.PREFIX, cloud.settings.bucket, prefix)
    counted = client.count_source(cloud, source)

    batch = run(cloud, source, batch_size=2)
    results = list(client.read_results(cloud, batch))

    assert (counted.photos, counted.others, counted.complete) == (5, 1, True)
    assert batch.status == "SUCCEEDED", batch.error
    assert batch.progress.total == batch.progress.done == 6
    assert len(results) == 6
    by_outcome = {one.outcome for one in results}
    assert by_outcome <= {"accepted", "rejected", "unreadable"}
    (unreadable,) = [one for one in results if one.outcome == "unreadable"]
    assert unreadable.error == "NotAnImage"
    assert unreadable.address.endswith("notes.txt")
    ids = {one.inference_id for one in results if one.inference_id}
    assert len(ids) == 5
    assert ids <= captured(cloud, tmp_path, ids)


@pytest.mark.parametrize("kind", [Kind.JSONL, Kind.CSV])
def test_a_manifest_that_names_a_missing_photo_ends_well(
    cloud: Any, prefix: Any, kind: Any
) -> None:
    put(cloud, f"{prefix}a.png", png())
    keys = [f"{prefix}a.png", f"{prefix}missing.png"]
    if kind is Kind.CSV:
        name, body = "list.csv", "s3_key\n" + "\n".join(keys)
    else:
        refs = [f"s3://{cloud.settings.bucket}/{key}" for key in keys]
        name = "list.manifest"
        body = "\n".join([json.dumps({"source-ref": ref}) for ref in refs] + ["{}"])
    put(cloud, f"batch/{prefix}{name}", body.encode())
    source = read_source(f"s3://{cloud.settings.bucket}/batch/{prefix}{name}")

    batch = run(cloud, source)
    results = list(client.read_results(cloud, batch))

    assert source.kind is kind
    assert batch.status == "SUCCEEDED", batch.error
    errors = sorted(str(one.error) for one in results if one.outcome == "unreadable")
    assert errors == (["ImageNotFound"] if kind is Kind.CSV else ["ImageNotFound", "InvalidInput"])
    again = client.write_manifest(cloud, [one for one in results if one.error], "again")
    assert client.count_source(cloud, again).items == len(errors)


def test_a_source_that_cannot_be_read_is_refused_before_it_starts(cloud: Any, prefix: Any) -> None:
    bucket = cloud.settings.bucket
    put(cloud, f"batch/{prefix}bad.jsonl", b"[1]\n")

    def refused(key: Any, bucket: Any = bucket) -> Any:
        with pytest.raises(WorkflowError) as caught:
            client.count_source(cloud, read_source(f"s3://{bucket}/{key}"))
        return caught.value.code

    assert refused("elsewhere/") == "BatchSourceForbidden"
    assert refused("images/", "another-bucket") == "BatchSourceForbidden"
    assert refused("batch/none.csv", "another-bucket") == "BatchSourceForbidden"
    assert refused("batch/none.csv") == "NoSuchKey"
    assert refused(f"batch/{prefix}bad.jsonl") == "BatchManifestInvalid"
    inventory = {"fileFormat": "Parquet", "fileSchema": "message s3.inventory {}", "files": []}
    put(cloud, f"batch/{prefix}manifest.json", json.dumps(inventory).encode())
    assert refused(f"batch/{prefix}manifest.json") == "InventoryFormatUnsupported"
    empty = client.count_source(cloud, BatchSource(Kind.PREFIX, bucket, prefix))
    assert (empty.items, empty.complete) == (0, True)


def test_a_paused_batch_goes_on_where_it_was(cloud: Any, prefix: Any) -> None:
    for number in range(12):
        put(cloud, f"{prefix}{number}.png", png())
    source = BatchSource(Kind.PREFIX, cloud.settings.bucket, prefix)
    options = BatchOptions(batch_size=1, concurrency=1)
    arn = client.start_batch(cloud, source, options, f"pause-{uuid.uuid4().hex[:8]}")
    deadline = time.monotonic() + 60
    while not ((seen := client.read_batch(cloud, arn).progress) and seen.done):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    client.set_concurrency(cloud, seen.arn, 2)
    client.pause_batch(cloud, arn)
    paused = client.read_batch(cloud, arn)
    client.resume_batch(cloud, arn)
    batch = ended(cloud, arn)

    assert paused.progress is not None
    assert (paused.status, paused.progress.status) == ("ABORTED", "ABORTED")
    assert paused.redrivable
    assert batch.status == "SUCCEEDED", batch.error
    assert batch.progress.redrives == 1
    assert len(list(client.read_results(cloud, batch))) == 12
    assert batch.arn in [one.arn for one in client.list_latest(cloud)]
