"""Faults of AWS in the middle of a job: said with a remedy, nothing lost, and it goes on.

Each job runs against a local cloud behind one that fails from a call of the job on. ``lost`` calls
are done by AWS, and only their answers are lost.
"""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.aws import cloud as clouds
from dashboard.aws.audit_log import AuditLog
from dashboard.aws.cloud import Connection, connect
from dashboard.aws.executions import UNREPEATED, open_reader
from dashboard.aws.images import Upload
from dashboard.aws.quotas import Pacer
from dashboard.classify import batches
from dashboard.deployment import deployment_job
from dashboard.failures.redrives import Repairer, RepairLog
from dashboard.failures.repair_plan import ItemStatus, RepairItem, plan_repair
from dashboard.review.client import ReviewClient
from dashboard.shared.jobs import DEPLOYMENT, Job, Jobs
from dashboard.shared.permits import Permit
from deploy import deployment
from tests.builders import png
from tests.faulty_cloud import Fault, FaultyCloud
from workflow.access import Actor, Privilege, Role
from workflow.errors import WorkflowError
from workflow.redrive import RedriveAction
from workflow.reviews import GroundTruth, Review
from workflow.submissions import Classified, Faulted

pytestmark = pytest.mark.cloud

SECONDS = 120
NIGHTLY_TOO = [
    fault
    if fault in (Fault.DENIED, Fault.RESET)
    else pytest.param(fault, marks=pytest.mark.nightly)
    for fault in Fault
    if fault is not Fault.HANGS  # jobs wait for it with the patience of the dashboard's clients
]


class Desk:
    """A person at a dashboard whose cloud fails on request."""

    def __init__(self, cloud: Connection, faulty: FaultyCloud, folder: Path) -> None:
        self.cloud, self.faulty, self.jobs = cloud, faulty, Jobs()
        core = clouds._LocalSession(faulty.url)
        known = cloud.session.get_credentials()
        assert known is not None
        core.set_credentials(known.access_key, known.secret_key, known.token)
        session = clouds._make_session(core, cloud.cloud.region)
        pacer = Pacer(cloud.cloud.region)
        self.connection = Connection(cloud.cloud, cloud.settings, session, pacer)
        self._folder = folder

    def permit(self, privilege: Privilege) -> Permit:
        ana = Actor("ana@example.com", Role.ADMIN)
        return Permit(ana, privilege, self.connection, self._log(self.connection))

    def _log(self, connection: Connection) -> AuditLog:
        s3, bucket = connection.client("s3"), connection.settings.bucket
        return AuditLog(s3, bucket, self._folder, now=lambda: datetime.now(UTC))

    def recorded(self, request: str) -> list[str]:
        """Return the results of actions whose request holds a text, the oldest first."""
        found = reversed(self._log(self.cloud).read().records)
        return [one.result for one in found if request in one.request]

    def ended(self, key: str) -> Job:
        job = self.jobs.get(key)
        assert job is not None
        assert job.wait(SECONDS)
        return job


@pytest.fixture
def desk(deployed: Connection, tmp_path: Path) -> Iterator[Desk]:
    assert deployed.cloud.endpoint_url is not None
    with FaultyCloud({}, behind=deployed.cloud.endpoint_url) as faulty:
        yield Desk(deployed, faulty, tmp_path / "audit")


def has_remedy(error: WorkflowError | Faulted) -> bool:
    name = error.error if isinstance(error, Faulted) else error.code
    return bool(name) and len(error.remedy.split()) >= 3


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


def test_a_deployment_from_the_page_that_fails_is_finished_by_the_next(
    environ: dict[str, str], tmp_path: Path
) -> None:
    cloud = connect({**environ, "SCONES_PROJECT": f"job-{uuid.uuid4().hex[:8]}"})
    assert cloud.cloud.endpoint_url is not None
    with FaultyCloud({}, behind=cloud.cloud.endpoint_url) as faulty:
        desk, settings = Desk(cloud, faulty, tmp_path), cloud.settings
        done: list[str] = []

        def run() -> Job:
            permit = desk.permit(Privilege.DEPLOY)
            deployment_job.start_deployment(
                desk.jobs, permit, settings, then=lambda: done.append("then")
            )
            return desk.ended(DEPLOYMENT)

        faulty.fail(Fault.BROKEN, since="CreateStateMachine")
        failed = run().events[-1].error
        faulty.heal()
        run().raise_failure()

        assert has_remedy(failed)
        assert done == ["then"]
        assert not deployment.observe_and_plan(settings, cloud.session).changes
        results = [one.partition(":")[0] for one in desk.recorded("")]
        assert results == [failed.code, "done"]
        for _ in deployment.destroy(settings, cloud.session):
            pass
