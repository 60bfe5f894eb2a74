"""The public face of ``deploy``: what the command line and the Deployment page call.

Everything that changes something is a plan first: ``observe_and_plan``, ``plan_destroy`` and
``plan_rollback`` only read, and what they return is shown to people and then given to ``apply``.
Which cloud is meant, AWS or a local one, is decided by the environment alone (AWS_ENDPOINT_URL).
"""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy import apply as applying
from deploy import batch, stack
from deploy.check import PreflightFinding, collect_findings
from deploy.cloud import DeploymentTarget, Observed
from deploy.package import Artifacts, collect_artifacts
from deploy.plan import Plan, make_plan, plan_deletion
from deploy.prices import price_of
from deploy.promotion import keep_promoted
from deploy.providers.aws import AwsCloud
from deploy.providers.session import Session, account_of, console_host, is_aws, open_session
from deploy.resources import (
    Alias,
    ExistingEndpoint,
    Json,
    Key,
    Queue,
    SageMakerEndpoint,
    StorageBucket,
)
from deploy.template import artifact_names, make_template
from deploy.versions import (
    NOTHING_TO_ROLL_BACK_TO,
    Rollback,
    Version,
    compare_versions,
    newest_routed,
    promotion_target,
    rollback_target,
)
from workflow.data_directory import data_directory, store_directory
from workflow.errors import WorkflowError
from workflow.settings import Settings
from workflow.thresholds import DeployedThreshold, Standing, standing

Event = applying.Event

_DATA_DIRECTORY = data_directory(Path(__file__).resolve().parents[1], os.environ, Path.home())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a deployment offers, as far as it exists.

    Attributes:
        bucket: Name of the bucket, None where there is none.
        alias_arn: ARN through which executions are started, None where there is none.
        endpoint: Name of the endpoint.
        endpoint_status: Its status as SageMaker gives it, None where there is none.
        queue_url: URL of the queue of status changes, None where there is none.
        versions: Versions of the state machine, the newest first.
        shifted_at: When the alias was changed last, in ISO 8601; None where there is none.
        links: Title to address of the pages of the AWS console; none for another cloud.
    """

    bucket: str | None
    alias_arn: str | None
    endpoint: str
    endpoint_status: str | None
    queue_url: str | None
    versions: tuple[Version, ...]
    shifted_at: str | None
    links: Mapping[str, str]

    def to_json(self) -> dict[str, Json]:
        """Return the outputs as JSON, times in ISO 8601."""
        return {
            "bucket": self.bucket,
            "alias_arn": self.alias_arn,
            "endpoint": self.endpoint,
            "endpoint_status": self.endpoint_status,
            "queue_url": self.queue_url,
            "versions": [
                {
                    "number": version.number,
                    "arn": version.arn,
                    "created": version.created.isoformat(),
                    "weight": version.weight,
                }
                for version in self.versions
            ],
            "shifted_at": self.shifted_at,
            "links": dict(self.links),
        }


def connect(environ: Mapping[str, str], *, region: str | None = None) -> tuple[Settings, Session]:
    """Return the settings and the session that the environment names.

    Args:
        environ: What ``Settings.from_env`` reads, ``SCONES_CLOUD``, and boto3's own variables.
        region: The region that was asked for by an argument; it overrides the environment's.

    Raises:
        WorkflowError: A variable cannot be used, nothing names the cloud or the region, or the
            account cannot be asked for.
    """
    session, found = open_session(environ, region=region)
    return Settings.from_env(environ, account=account_of(session), region=found), session


def store() -> Path:
    """Return where records lie on this machine that S3 did not take."""
    return store_directory(_DATA_DIRECTORY, os.environ)


def observe_and_plan(settings: Settings, session: Session, *, weight: int = 100) -> Plan:
    """Return what has to be done so that the account has what the settings say. Only reads.

    Args:
        settings: What is wanted.
        session: Where.
        weight: Percentage of new executions that reach a new version of the state machine; the
            rest stays where it is until the next apply.

    Raises:
        WorkflowError: A call failed, or the sources are not complete.
    """
    cloud = _open_cloud(settings, session)
    desired = stack.build_stack(
        settings, _collect_artifacts(settings, session, cloud), weight=weight
    )
    # Not only what is wanted: what is there and no longer wanted has to be found to be deleted.
    keys = (one.key for one in desired)
    observed = _observe_keys((*keys, *stack.stack_keys(settings), *cloud.find()), cloud)
    wanted, kept = keep_promoted(desired, observed, settings)
    price = price_of(desired, settings.region)
    return replace(make_plan(wanted, observed, owner=settings.owner), price=price, kept=kept)


def check(settings: Settings, session: Session) -> tuple[PreflightFinding, ...]:
    """Return what would end a deployment, or surprise whoever pays for it. Only reads.

    Returns:
        What stands in the way first; what could not be looked up is UNKNOWN, and is not an error.

    Raises:
        WorkflowError: The sources are not complete, nothing of the kind is offered there, or
            nothing could be looked up.
    """
    cloud = _open_cloud(settings, session)
    desired = stack.build_stack(settings, _collect_artifacts(settings, session, cloud))
    account = cloud.check_account(settings, desired)
    account.raise_if_silent()
    return collect_findings(settings, desired, account, today=datetime.now(UTC).date())


def export(settings: Settings) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the CloudFormation template, and what has to be uploaded before it is deployed.

    Raises:
        WorkflowError: The sources are not complete, or a template cannot hold what is wanted.
    """
    desired = stack.build_stack(settings, collect_artifacts(settings, wheels=True))
    return make_template(desired, settings), artifact_names(desired)


def deployed_threshold(settings: Settings, session: Session, *, explicit: bool) -> Standing:
    """Return which threshold is deployed, and which one to plan. Only reads.

    Args:
        settings: Which deployment; their threshold holds where none is deployed.
        session: Where.
        explicit: Whether the settings' threshold was asked for, and is no default.

    Returns:
        What cannot be read is told in it, as on the Deployment page.
    """
    deployed: tuple[DeployedThreshold, ...] | WorkflowError
    try:
        deployed = _open_cloud(settings, session).deployed_thresholds(
            settings.state_machine, settings.alias, settings.filter_function
        )
    except WorkflowError as error:
        # An unreadable threshold must not end a plan: what is known is said, with the error.
        deployed = error
    return standing(deployed, settings.threshold, explicit=explicit)


def plan_destroy(settings: Settings, session: Session, *, empty_bucket: str | None = None) -> Plan:
    """Return what has to be done so that nothing of the deployment is left. Only reads.

    Args:
        settings: Which deployment.
        session: Where.
        empty_bucket: Name of the bucket, to have its objects deleted too; without it a bucket
            that holds images or captures is kept.

    Raises:
        WorkflowError: A call failed, or ``empty_bucket`` is not the deployment's bucket.
    """
    cloud = _open_cloud(settings, session)
    keys = (*stack.stack_keys(settings), *batch.batch_keys(settings), *cloud.find())
    observed = _observe_keys(keys, cloud)
    return plan_deletion(
        observed, owner=settings.owner, bucket=settings.bucket, empty_bucket=empty_bucket
    )


def plan_batch(settings: Settings, session: Session) -> Plan:
    """Return what has to be done so that batches call what new executions call. Only reads.

    Raises:
        WorkflowError: ``BatchNeedsWorkflow`` where nothing is deployed, or a call failed.
    """
    cloud = _open_cloud(settings, session)
    versions = cloud.versions(settings.state_machine, settings.alias)
    if not any(version.weight for version in versions):
        raise WorkflowError(
            "BatchNeedsWorkflow",
            f"No version of {settings.state_machine} is live, so a batch has nothing to call.",
            "Apply the deployment first: `python -m deploy apply`.",
        )
    # While traffic shifts, batches call what most executions call.
    live = max(versions, key=lambda version: (version.weight, version.number))
    desired = batch.batch_stack(settings, cloud.read_definition(live))
    observed = _observe_keys(batch.batch_keys(settings), cloud)
    return make_plan(desired, observed, owner=settings.owner)


def download(settings: Settings, session: Session, address: str, folder: Path) -> int:
    """Copy what lies below an S3 prefix into a folder; return how many files that are. Only reads.

    Raises:
        WorkflowError: A call failed.
    """
    return _open_cloud(settings, session).download(address, folder)


def follow_training(settings: Settings, session: Session, name: str) -> Iterator[str]:
    """Tell how a training job goes on until it has trained. Only reads.

    Raises:
        WorkflowError: ``TrainingJobUnknown``, ``TrainingFailed``, or a call failed.
    """
    yield from _open_cloud(settings, session).follow_training(name)


def plan_rollback(settings: Settings, session: Session) -> Plan:
    """Return what has to be done so that executions run on what was live before. Only reads.

    Raises:
        WorkflowError: ``NothingToRollBackTo``, or a call failed.
    """
    cloud = _open_cloud(settings, session)
    target = rollback_target(
        cloud.versions(settings.state_machine, settings.alias),
        cloud.live_before(settings.state_machine, settings.alias),
    )
    return _plan_alias(settings, cloud, target)


def plan_promotion(settings: Settings, session: Session) -> Plan:
    """Return what has to be done so that the version traffic shifts to gets all. Only reads.

    Raises:
        WorkflowError: ``NothingToPromote``, or a call failed.
    """
    cloud = _open_cloud(settings, session)
    target = promotion_target(cloud.versions(settings.state_machine, settings.alias))
    return _plan_alias(settings, cloud, target)


def preview_rollback(settings: Settings, session: Session) -> Rollback | None:
    """Return what a rollback would do; None where there is no version to go back to. Only reads.

    Raises:
        WorkflowError: A call failed.
    """
    cloud = _open_cloud(settings, session)
    versions = cloud.versions(settings.state_machine, settings.alias)
    try:
        before = cloud.live_before(settings.state_machine, settings.alias)
        target = rollback_target(versions, before)
    except WorkflowError as error:
        if error.code != NOTHING_TO_ROLL_BACK_TO:
            raise
        return None
    live = newest_routed(versions)
    return compare_versions(
        live, target, (cloud.read_definition(live), cloud.read_definition(target))
    )


def apply(plan: Plan, settings: Settings, session: Session) -> Iterator[Event]:
    """Do what a plan says, after looking again at each resource.

    Yields:
        ``Started``, ``StepProgress`` and ``Applied`` for each resource; ``Failed`` ends the run,
        and the next one goes on from there.
    """
    yield from applying.apply(plan, _open_cloud(settings, session))


def destroy(
    settings: Settings, session: Session, *, empty_bucket: str | None = None
) -> Iterator[Event]:
    """Plan the destruction and do it; asking first is the caller's duty."""
    yield from apply(plan_destroy(settings, session, empty_bucket=empty_bucket), settings, session)


def rollback(settings: Settings, session: Session) -> Iterator[Event]:
    """Plan the rollback and do it."""
    yield from apply(plan_rollback(settings, session), settings, session)


def read_status(settings: Settings, session: Session) -> Outputs:
    """Return what the deployment offers now. Only reads.

    Raises:
        WorkflowError: A call failed.
    """
    cloud = _open_cloud(settings, session)
    kind = ExistingEndpoint if settings.existing_endpoint else SageMakerEndpoint
    bucket = Key(StorageBucket.KIND, settings.bucket)
    alias = Key(Alias.KIND, _alias_name(settings))
    endpoint = Key(kind.KIND, settings.endpoint)
    queue = Key(Queue.KIND, settings.executions_queue)
    seen = _observe_keys((bucket, alias, endpoint, queue), cloud)
    return Outputs(
        bucket=settings.bucket if bucket in seen else None,
        alias_arn=seen[alias].outputs["arn"] if alias in seen else None,
        endpoint=settings.endpoint,
        endpoint_status=seen[endpoint].outputs["status"] if endpoint in seen else None,
        queue_url=seen[queue].outputs["url"] if queue in seen else None,
        versions=cloud.versions(settings.state_machine, settings.alias),
        shifted_at=seen[alias].outputs["shifted_at"] if alias in seen else None,
        links=_console_links(settings, session) if is_aws(session) else {},
    )


def _open_cloud(settings: Settings, session: Session) -> AwsCloud:
    holder = f"process {os.getpid()} on {platform.node()}"
    return AwsCloud(settings, session, holder=holder, notes=store() / "locks")


def _collect_artifacts(settings: Settings, session: Session, cloud: AwsCloud) -> Artifacts:
    # Any other cloud serves models in its own Python, and would carry 50 MB for nothing.
    made_of = collect_artifacts(settings, wheels=is_aws(session))
    if settings.training_data is None:
        return made_of
    samples, classes = cloud.training_samples(settings.training_data)
    return replace(made_of, training_samples=samples, classes=settings.classes or classes)


def _observe_keys(keys: Iterable[Key], cloud: DeploymentTarget) -> dict[Key, Observed]:
    seen = {key: cloud.read(key) for key in dict.fromkeys(keys)}
    return {key: one for key, one in seen.items() if one is not None}


def _plan_alias(settings: Settings, cloud: AwsCloud, version: Version) -> Plan:
    """Return what has to be done so that a version gets all new executions."""
    alias = Alias(name=_alias_name(settings), tags=settings.tags, version=version.arn)
    return make_plan((alias,), _observe_keys((alias.key,), cloud), owner=settings.owner)


def _alias_name(settings: Settings) -> str:
    return f"{settings.state_machine}/{settings.alias}"


def _console_links(settings: Settings, session: Session) -> dict[str, str]:
    region = settings.region
    console = f"https://{console_host(session)}"
    machine = settings.state_machine_arn
    return {
        "State machine": f"{console}/states/home?region={region}#/statemachines/view/{machine}",
        "Bucket": f"{console}/s3/buckets/{settings.bucket}?region={region}",
        "Endpoint": f"{console}/sagemaker/home?region={region}#/endpoints/{settings.endpoint}",
        "Alarms": f"{console}/cloudwatch/home?region={region}#alarmsV2:?search={settings.prefix}",
    }
