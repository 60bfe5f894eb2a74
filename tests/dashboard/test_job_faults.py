"""Faults of AWS in the middle of a job: said with a remedy, nothing lost, and it goes on.

Each job runs against a local cloud behind one that fails from a call of the job on. ``lost`` calls
are done by AWS, and only their answers are lost.
"""

import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.aws.cloud import connect
from dashboard.aws.executions import UNREPEATED, open_reader
from dashboard.aws.images import Upload
from dashboard.classify import batches
from dashboard.deployment import deployment_job
from dashboard.failures.redrives import Repairer, RepairLog
from dashboard.failures.repair_plan import ItemStatus, RepairItem, plan_repair
from dashboard.review.client import ReviewClient
from dashboard.shared.jobs import DEPLOYMENT
from deploy import apply as applying
from deploy import deployment
from tests.builders import png
from tests.desk import NIGHTLY_TOO, SECONDS, Desk, has_remedy
from tests.faulty_cloud import Fault, FaultyCloud
from tests.nightly import NIGHTLY
from workflow.access import Privilege
from workflow.errors import WorkflowError
from workflow.redrive import RedriveAction
from workflow.reviews import GroundTruth, Review
from workflow.submissions import Classified

pytestmark = pytest.mark.cloud


def again(desk: Desk, batch: str) -> None:
    """Ask for the same batch again, as the page's button does."""
    desk.jobs.forget(batches.job_key(batch))
    batches.resume_batch(desk.jobs, desk.permit(Privilege.SUBMIT), batch)


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
def test_photos_that_s3_does_not_take_are_said_and_go_on_without_being_chosen_again(
    desk: Desk, fault: Fault
) -> None:
    photos = [Upload(f"{fault.name}-{n}.png", png(color=f"#{n}53")) for n in range(3)]
    desk.faulty.fail(fault, since="PUT /" + desk.connection.settings.bucket + "/images/")

    batch = batches.start_batch(desk.jobs, desk.permit(Privilege.SUBMIT), photos, ())

    steps = desk.ended(batches.job_key(batch)).events[1:]
    assert {index for index, _ in steps} == {0, 1, 2}
    assert all(has_remedy(one.verdict) for _, one in steps), steps
    assert batches.keeps_photos(batch)
    desk.faulty.heal()
    again(desk, batch)
    last = dict(desk.ended(batches.job_key(batch)).events[1:])
    assert {type(one.verdict) for one in last.values()} == {Classified}
    assert not batches.keeps_photos(batch)
    assert [one.partition(":")[0] for one in desk.recorded(batch)] == ["done", "done"]


def test_a_batch_that_could_not_be_written_goes_on_without_being_chosen_again(desk: Desk) -> None:
    desk.faulty.fail(Fault.EXPIRED)
    photos = [Upload("unwritten.png", png(color="#123"))]

    batch = batches.start_batch(desk.jobs, desk.permit(Privilege.SUBMIT), photos, ())

    with pytest.raises(WorkflowError) as caught:
        desk.ended(batches.job_key(batch)).raise_failure()
    assert has_remedy(caught.value)
    desk.faulty.heal()
    again(desk, batch)
    (_, last) = desk.ended(batches.job_key(batch)).events[-1]
    assert isinstance(last.verdict, Classified)


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
def test_a_repair_is_done_once_whatever_is_lost(desk: Desk, fault: Fault, *, lost: bool) -> None:
    client, settings = desk.cloud.client("stepfunctions"), desk.cloud.settings
    given = {"s3_bucket": settings.bucket, "s3_key": "images/none.png", "image_data": ""}
    arn = client.start_execution(
        stateMachineArn=settings.alias_arn, name=f"r-{uuid.uuid4().hex}", input=json.dumps(given)
    )["executionArn"]
    redrives(desk, arn, 0)
    log = RepairLog(desk.connection.client("s3"), settings.bucket)
    item = RepairItem(arn=arn, action=RedriveAction.REDRIVE, redrive_count=0)
    plan = plan_repair(
        [item],
        now=datetime.now(UTC),
        author="ana",
        fingerprint="f" * 16,
        target=settings.alias_arn,
        canary=0,
    )
    log.add_plan(plan)
    repairer = Repairer(
        desk.connection.session.client("stepfunctions", config=UNREPEATED),
        open_reader(desk.connection.session, desk.connection.pacer, settings.state_machine_arn),
        log,
        most=1,
        now=lambda: datetime.now(UTC),
    )

    def run() -> Any:
        return next(one for one in log.read_runs() if one.plan.id == plan.id)

    desk.faulty.fail(fault, since="RedriveExecution", lost=lost)
    with pytest.raises(WorkflowError) as caught:
        list(repairer.run(run()))
    assert has_remedy(caught.value)
    desk.faulty.heal()
    assert len(run().pending) == 1
    list(repairer.run(run()))

    (result,) = run().results.values()
    assert result.status is (ItemStatus.ALREADY if lost else ItemStatus.REDRIVEN)
    assert redrives(desk, arn, 1) == 1


def redrives(desk: Desk, arn: str, least: int) -> int:
    """Wait until an execution has failed after as many redrives; how many there were."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = desk.cloud.client("stepfunctions").describe_execution(executionArn=arn)
        if found["status"] == "FAILED" and found["redriveCount"] >= least:
            return int(found["redriveCount"])
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
def test_a_label_is_there_once_whatever_is_lost(desk: Desk, fault: Fault, *, lost: bool) -> None:
    reviews, name = ReviewClient(desk.connection), uuid.uuid4().hex
    now = datetime.now(UTC)
    truth = GroundTruth(f"photo-{name}", "0", now, Review(reviewer="ana", draw="d"))
    desk.faulty.fail(fault, since="PUT /" + desk.connection.settings.bucket + "/ground", lost=lost)

    with pytest.raises(WorkflowError) as caught:
        reviews.write_answer(truth, 0, name)
    assert has_remedy(caught.value)
    desk.faulty.heal()
    reviews.write_answer(truth, 0, name)

    reviews.refresh()
    assert reviews.read_verdicts()[truth.event_id].label == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault.BROKEN,
        *(
            pytest.param(fault, marks=pytest.mark.nightly)
            for fault in Fault
            if fault not in (Fault.BROKEN, Fault.HANGS)
        ),
    ],
)
def test_a_deployment_from_the_page_that_fails_is_finished_by_the_next(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    # Else a denial is waited for two minutes: it may be a role that AWS does not know yet.
    monkeypatch.setattr(applying, "PATIENCE", ())
    cloud = connect({**environ, "SCONES_PROJECT": f"job-{uuid.uuid4().hex[:8]}"})
    assert cloud.cloud.endpoint_url is not None
    with FaultyCloud({}, behind=cloud.cloud.endpoint_url) as faulty:
        desk, settings = Desk(cloud, faulty, tmp_path), cloud.settings
        done: list[str] = []

        def deploy() -> None:
            deployment_job.start_deployment(
                desk.jobs,
                desk.permit(Privilege.DEPLOY),
                settings,
                then=lambda: done.append("then"),
            )

        def deploy_batch() -> None:
            deployment_job.deploy_batch(desk.jobs, desk.permit(Privilege.DEPLOY), settings)

        failures = []
        # Each waits for retries for seconds.
        for start in (deploy, deploy_batch) if NIGHTLY else (deploy,):
            faulty.fail(fault, since="CreateStateMachine")
            start()
            failures.append(desk.ended(DEPLOYMENT).events[-1].error)
            faulty.heal()
            start()
            desk.ended(DEPLOYMENT).raise_failure()

        assert all(map(has_remedy, failures))
        assert done == ["then"]
        assert not deployment.observe_and_plan(settings, cloud.session).changes
        assert not NIGHTLY or not deployment.plan_batch(settings, cloud.session).changes
        results = [one.partition(":")[0] for one in desk.recorded("")]
        assert results == [one for error in failures for one in (error.code, "done")]
        for _ in deployment.destroy(settings, cloud.session):
            pass
