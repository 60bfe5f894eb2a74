"""Every fault of AWS over every command: what happened and a remedy, nothing lost, and it goes on.

The commands run in the order of a deployment's life, against a local cloud behind one that fails.
Each runs with AWS failing, from its own first write on or altogether, and again once AWS is well.
All calls fail but the one that asks whose account it is.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dashboard.aws import cloud as clouds
from dashboard.aws.audit_log import AuditLog
from dashboard.aws.cloud import Cloud, Connection
from dashboard.aws.quotas import Pacer
from dashboard.batch import __main__ as batch_command
from dashboard.demonstration import __main__ as demonstration_command
from dashboard.demonstration import control
from dashboard.rollout import __main__ as rollout_command
from dashboard.rollout import client as rollouts
from deploy import __main__ as deploy_command
from deploy import apply as applying
from deploy import deployment, train
from deploy.__main__ import DONE, FAILED, PENDING
from deploy.providers import audit, clients, session
from deploy.providers.errors import explain_error
from deploy.providers.parsing import check_answers
from tests.builders import png
from tests.conftest import LocalCloud
from tests.faulty_cloud import Fault, FaultyCloud
from workflow.regions import Region
from workflow.settings import Settings

pytestmark = pytest.mark.cloud

Main: TypeAlias = Callable[[list[str]], int]

DEPLOY, BATCH, ROLLOUT = deploy_command.main, batch_command.main, rollout_command.main
PATIENT = Config(
    connect_timeout=60, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 1}
)
IMPATIENT = PATIENT.merge(Config(read_timeout=0.5))
"""For calls that are waited for in vain."""
NAMED = re.compile(r"\b(s3|iam|logs|sns|sqs|events|lambda|states|stepfunctions|sagemaker|quotas)\b")


@dataclass(frozen=True)
class Step:
    """A command.

    Attributes:
        main: What runs it.
        line: Its arguments; ``{bucket}``, ``{batch}`` and ``{model}`` are filled in.
        fault: What AWS does, where a test does not ask for one fault throughout.
        since: Its first write, which fails with all that follows; empty where every call fails.
        status: How it ends once AWS is well.
    """

    main: Main
    line: str
    fault: Fault
    since: str = ""
    status: int = DONE


TRAINING_IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
SHARE = "UpdateEndpointWeightsAndCapacities"
STEPS = (
    Step(DEPLOY, "plan", Fault.TRUNCATED, status=PENDING),
    Step(DEPLOY, "check", Fault.HANGS),
    Step(DEPLOY, "apply --yes", Fault.EXPIRED, "CreateEndpoint"),
    Step(DEPLOY, "status", Fault.TIMED_OUT),
    Step(DEPLOY, "apply --yes --threshold 0.61", Fault.RESET, "UpdateStateMachineAlias"),
    Step(DEPLOY, "rollback --yes", Fault.FOREIGN, "UpdateStateMachineAlias"),
    Step(DEPLOY, "batch --yes", Fault.BROKEN, "CreateStateMachine"),
    Step(BATCH, "list", Fault.HANGS),
    Step(BATCH, "start s3://{bucket}/images/in/ --yes --tolerate 0", Fault.RESET, "StartExecution"),
    Step(BATCH, "pause {batch}", Fault.DENIED, "StopExecution"),
    Step(BATCH, "resume {batch}", Fault.SKEWED, "RedriveExecution"),
    Step(ROLLOUT, "status", Fault.EXPIRED),
    Step(ROLLOUT, "start {model}", Fault.THROTTLED, "UpdateEndpoint"),
    Step(ROLLOUT, "promote", Fault.TRUNCATED, SHARE),
    Step(ROLLOUT, "stop", Fault.TIMED_OUT, SHARE),
    Step(DEPLOY, "train s3://{bucket}/set --sagemaker --yes", Fault.SKEWED, "CreateTrainingJob"),
    Step(DEPLOY, "train --job {job}", Fault.FOREIGN),
    Step(DEPLOY, "train s3://{bucket}/set --out {out}", Fault.BROKEN),
    Step(DEPLOY, "destroy --confirm {prefix}", Fault.THROTTLED, "DeleteEndpoint"),
)


@dataclass
class Life:
    """A deployment of its own, and the commands that it is made and unmade with."""

    cloud: LocalCloud
    faulty: FaultyCloud
    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    sessions: dict[Config, tuple[boto3.Session, Connection]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    config: Config = PATIENT

    def be(self, config: Config) -> None:
        """Have the commands wait as long as a configuration says."""
        self.config = config
        for module in (clients, session, audit):
            self.monkeypatch.setattr(module, "CONFIG", config)

    def connect(self) -> tuple[boto3.Session, Connection]:
        """Connect to the cloud that fails, as commands of ``deploy`` and the dashboard do."""
        if self.config not in self.sessions:
            region, url = self.settings.region, self.faulty.url
            core = clouds._LocalSession(url)
            core.set_credentials(*self.cloud.keys.values())
            made = clouds._make_session(core, region)
            core.set_default_client_config(self.config)
            cloud = Cloud(
                name="AWS", account=self.settings.account, region=region, endpoint_url=url
            )
            connection = Connection(cloud, self.settings, made, Pacer(region))
            self.sessions[self.config] = (
                check_answers(boto3.Session(region_name=region)),
                connection,
            )
        return self.sessions[self.config]

    def audit(self, folder: Path) -> AuditLog:
        """Return the audit, without what this machine keeps."""
        s3 = self.cloud.client("s3")
        return AuditLog(s3, self.settings.bucket, folder, now=lambda: datetime.now(UTC))


@pytest.fixture
def life(
    local_cloud: LocalCloud,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Life]:
    project = f"faults-{uuid.uuid4().hex[:8]}"
    with FaultyCloud({}, behind=local_cloud.endpoint_url) as faulty:
        environ = {
            **local_cloud.environ,
            "AWS_ENDPOINT_URL": faulty.url,
            "SCONES_PROJECT": project,
            "SCONES_LOCALCLOUD_DIR": str(tmp_path / "cloud"),
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        region = Region(local_cloud.region, "test")
        settings = Settings.from_env(environ, account=local_cloud.account, region=region)
        made = Life(local_cloud, faulty, settings, monkeypatch)
        monkeypatch.setattr(
            deployment, "open_session", lambda *_, **__: (made.connect()[0], region)
        )
        monkeypatch.setattr(deployment, "account_of", lambda _: settings.account)
        for module in ("shared.command_line", "demonstration.__main__"):
            monkeypatch.setattr(f"dashboard.{module}.connect", lambda _: made.connect()[1])
        monkeypatch.setattr(applying, "PATIENCE", ())
        monkeypatch.setattr(train, "_NEEDED", ())
        monkeypatch.setattr("deploy.package.training_image", lambda _: TRAINING_IMAGE)
        fits = SimpleNamespace(train_on_folder=lambda _, new, *__: new.mkdir())
        compares = SimpleNamespace(
            record_comparison=lambda *_: None, describe_comparison=lambda _: ""
        )
        monkeypatch.setattr("deploy.model.training_set", fits, raising=False)
        monkeypatch.setattr("deploy.model.compare", compares, raising=False)
        made.be(PATIENT)
        yield made
        faulty.heal()
        clients.account_of.cache_clear()


def prepare(life: Life, step: Step, tmp_path: Path) -> None:
    """Have what a step needs: photos for a batch, another model for a rollout."""
    settings, names = life.settings, life.names
    s3, sagemaker = life.cloud.client("s3"), life.cloud.client("sagemaker")
    names |= {"bucket": settings.bucket, "prefix": settings.prefix, "out": str(tmp_path / "out")}
    match step.line.split()[0], step.main:
        case "start", main if main is BATCH:
            s3.put_object(Bucket=settings.bucket, Key="images/in/no.png", Body=b"no image")
        case "resume", _:
            names["batch"] = "of-no-kind"
            life.cloud.client("stepfunctions").start_execution(
                stateMachineArn=settings.batch_machine_arn, name=names["batch"], input="{}"
            )
            batch_ended(life)
        case "start", _:
            model = rollouts.describe_endpoint(life.connect()[1]).variants[0].model
            found = sagemaker.describe_model(ModelName=model)
            names["model"] = f"{settings.prefix}-00000000000c"
            sagemaker.create_model(
                ModelName=names["model"],
                PrimaryContainer=found["PrimaryContainer"],
                ExecutionRoleArn=found["ExecutionRoleArn"],
            )
        case "train", _ if "job" not in names:
            for kind in ("train", "test"):
                rows = [f"{row}\t{row % 2}\t{row}.png" for row in range(4)]
                s3.put_object(
                    Bucket=settings.bucket, Key=f"set/{kind}.lst", Body="\n".join(rows).encode()
                )
                for row in range(4):
                    photo = png(color="red" if row % 2 else "blue")
                    s3.put_object(Bucket=settings.bucket, Key=f"set/{kind}/{row}.png", Body=photo)
            names["job"] = ""


def settle(life: Life) -> None:
    """Wait until the endpoint serves what it was told to, and the batch has ended."""
    connection, deadline = life.connect()[1], time.monotonic() + 120
    while rollouts.describe_endpoint(connection).status != rollouts.IN_SERVICE:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def batch_ended(life: Life) -> None:
    states, deadline = life.cloud.client("stepfunctions"), time.monotonic() + 120
    machine = life.settings.batch_machine_arn
    while states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def fails(step: Step, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command in vain; return the code of what it says."""
    assert step.main(arguments) == FAILED, arguments
    problem, _, remedy = capsys.readouterr().err.strip().partition("\n")
    assert re.match(r"[A-Z]\w+: \S", problem), (arguments, problem)
    assert NAMED.search(problem), (arguments, problem)
    assert len(remedy.split()) >= 3, (arguments, problem, remedy)
    return problem.partition(":")[0]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(None, id="diagonal"),
        *(pytest.param(one, id=one.value, marks=pytest.mark.nightly) for one in Fault),
    ],
)
def test_a_command_says_a_fault_loses_nothing_and_succeeds_once_it_is_over(
    life: Life, fault: Fault | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded: list[str] = []
    for step in STEPS:
        life.be(PATIENT)
        prepare(life, step, tmp_path)
        arguments = step.line.format(**life.names).split()
        now = fault or step.fault
        if now is Fault.DENIED and step.line == "check":
            continue  # what may not be looked up is unknown to `check`, which says so
        life.be(IMPATIENT if now is Fault.HANGS else PATIENT)
        life.faulty.fail(now, since=step.since)
        code = fails(step, arguments, capsys)
        assert life.faulty.struck, (arguments, code)
        life.faulty.heal()
        life.be(PATIENT)
        assert step.main(arguments) == step.status, (arguments, capsys.readouterr())
        said = capsys.readouterr().out
        if step.since:
            recorded += [code, "done"]
        if started := re.search(r"Started (\S+)\.\n", said):
            life.names["batch"] = started[1]
            batch_ended(life)
        if trained := re.search(r"(\S+) has trained for", said):
            life.names["job"] = trained[1]
        if step.since in ("UpdateEndpoint", SHARE):
            settle(life)

    found = life.audit(tmp_path / "none").read()
    results = [one.result.partition(":")[0] for one in reversed(found.records)]
    assert results == recorded
    assert (tmp_path / "out").exists()


def test_the_demonstration_says_every_fault(
    life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(control, "_SECONDS", 0.5)
    for fault in Fault:
        life.faulty.fail(fault)

        assert demonstration_command.main() == 2, fault

        said = json.loads(capsys.readouterr().err)
        assert said["code"], fault
        assert len(said["remedy"].split()) >= 3, fault


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "BadRequest"), (403, "AccessDenied"), (500, "InternalError"), (503, "SlowDown")],
)
def test_a_status_without_a_body_has_the_name_of_its_error(status: int, code: str) -> None:
    answer = ClientError({"Error": {"Code": str(status), "Message": ""}}, "HeadBucket")

    said = explain_error(answer, "s3", "photos")

    assert said.code == code
    assert len(said.remedy.split()) >= 3
