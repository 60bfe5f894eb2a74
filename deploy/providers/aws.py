"""AwsCloud: the port of ``deploy.cloud`` on boto3, one provider a kind."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from deploy.check import CheckedAccount, quota_names
from deploy.cloud import Observed
from deploy.permissions import needed_actions
from deploy.providers import (
    cloudwatch,
    events,
    iam,
    lambda_,
    logs,
    quotas,
    s3,
    sagemaker,
    sns,
    sqs,
    states,
    training,
    training_sets,
)
from deploy.providers.clients import Aws, account_of
from deploy.providers.errors import explained
from deploy.providers.lock import Lock
from deploy.providers.session import caller_of
from deploy.resources import (
    Alarm,
    Alias,
    BucketContents,
    CloudResource,
    EndpointConfig,
    ExistingEndpoint,
    Function,
    IamRole,
    Key,
    LogGroup,
    ModelArchive,
    Queue,
    Rule,
    SageMakerEndpoint,
    SageMakerModel,
    StateMachine,
    StorageBucket,
    Subscription,
    Topic,
    TrainingJob,
)
from deploy.stack import training_list
from deploy.versions import Version
from workflow.errors import WorkflowError
from workflow.settings import Settings
from workflow.thresholds import (
    VARIABLE,
    DeployedThreshold,
    deciding_function,
    read_threshold,
    weighed,
)

if TYPE_CHECKING:
    import boto3

Answer = TypeVar("Answer")

PROVIDERS: dict[type[CloudResource], Callable[[Aws], Any]] = {
    StorageBucket: s3.BucketProvider,
    BucketContents: s3.ContentsProvider,
    ModelArchive: s3.ModelArchiveProvider,
    IamRole: iam.RoleProvider,
    LogGroup: logs.LogGroupProvider,
    Topic: sns.TopicProvider,
    Subscription: sns.SubscriptionProvider,
    Queue: sqs.QueueProvider,
    Rule: events.RuleProvider,
    TrainingJob: training.TrainingJobProvider,
    SageMakerModel: sagemaker.ModelProvider,
    EndpointConfig: sagemaker.EndpointConfigProvider,
    SageMakerEndpoint: sagemaker.EndpointProvider,
    ExistingEndpoint: sagemaker.ExistingEndpointProvider,
    Function: lambda_.FunctionProvider,
    StateMachine: states.StateMachineProvider,
    Alias: states.AliasProvider,
    Alarm: cloudwatch.AlarmProvider,
}
"""Which provider reads and writes which kind."""


class AwsCloud:
    """The AWS account and region of a session, or whatever AWS_ENDPOINT_URL points to.

    Args:
        settings: Whose resources.
        session: A boto3 session with credentials.
        holder: Who to name to others while this deploy holds the lock.
        notes: Folder for notes of locks.
        pause: Sleeps a number of seconds.
    """

    def __init__(
        self,
        settings: Settings,
        session: "boto3.Session",
        *,
        holder: str,
        notes: Path,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.aws = account_of(session, settings.account, settings.region, pause)
        self._prefix = settings.prefix
        self._lock = Lock(self.aws, settings.bucket, holder, notes)
        self._providers = {kind.KIND: make(self.aws) for kind, make in PROVIDERS.items()}

    def read(self, key: Key) -> Observed | None:
        """Return what is there under the key, or None."""
        with explained(_service_name(key), str(key)):
            observed: Observed | None = self._providers[key.kind].read(key.name)
            return observed

    def find(self) -> Iterable[Key]:
        """Return the keys of the SageMaker resources that this deployment made, by their names."""
        with explained("sagemaker", self._prefix):
            return sagemaker.own_names(self.aws, self._prefix)

    def create(self, resource: CloudResource) -> Iterator[str]:
        """Create a resource and wait until it can be used."""
        with explained(_service_name(resource.key), str(resource.key)):
            yield from self._providers[resource.KIND].create(resource)

    def update(self, resource: CloudResource, observed: Observed) -> Iterator[str]:
        """Change what is there into what is wanted and wait until it can be used."""
        with explained(_service_name(resource.key), str(resource.key)):
            yield from self._providers[resource.KIND].update(resource, observed)

    def delete(self, key: Key) -> Iterator[str]:
        """Delete what is there and wait until it is gone."""
        with explained(_service_name(key), str(key)):
            yield from self._providers[key.kind].delete(key.name)

    def hold(self) -> None:
        """Take the deployment's lock, or renew it."""
        with explained("s3", "deploy.lock"):
            self._lock.hold()

    def release(self) -> None:
        """Give the lock back, if it is held."""
        with explained("s3", "deploy.lock"):
            self._lock.release()

    def versions(self, machine: str, alias: str) -> tuple[Version, ...]:
        """Return versions of a state machine with the weights of an alias, the newest first."""
        with explained("stepfunctions", machine):
            return states.list_versions(self.aws, machine, alias)

    def live_before(self, machine: str, alias: str) -> int | None:
        """Return the number of the version that was live before, None where it is not known."""
        with explained("stepfunctions", machine):
            return states.live_before(self.aws, machine, alias)

    def read_definition(self, version: Version) -> str:
        """Return the definition of a version of the state machine, as JSON text."""
        with explained("stepfunctions", version.arn):
            return states.read_definition(self.aws, version.arn)

    def training_samples(self, address: str) -> tuple[int, tuple[str, ...]]:
        """Return how many images below a prefix are to be trained on, and names of their classes.

        Raises:
            WorkflowError: ``TrainingDataMissing``, or the file cannot be read.
        """
        with explained("s3", address):
            labels = training_sets.listed_labels(self.aws, training_list(address))
            return len(labels), training_sets.class_names(self.aws, address, labels)

    def download(self, address: str, folder: Path) -> int:
        """Copy what lies below an S3 prefix into a folder; return how many files that are."""
        with explained("s3", address):
            return s3.download_prefix(self.aws, address, folder)

    def follow_training(self, name: str) -> Iterator[str]:
        """Tell how a training job goes on until it has trained."""
        with explained("sagemaker", name):
            yield from training.TrainingJobProvider(self.aws).follow_job(name)

    def deployed_thresholds(
        self, machine: str, alias: str, function: str
    ) -> tuple[DeployedThreshold, ...]:
        """Return what new executions are measured against, the one for most of them first.

        Args:
            machine: Name of the state machine.
            alias: Name of the alias that routes to its versions.
            function: Name of the function that decides.
        """
        with explained("stepfunctions", machine):
            routes = states.read_routes(self.aws, machine, alias)
        return weighed(routes, lambda version: self._read_threshold(version, function))

    def _read_threshold(self, version: str, function: str) -> float:
        with explained("stepfunctions", version):
            definition = states.read_definition(self.aws, version)
        arn = deciding_function(definition, function)
        with explained("lambda", arn):
            variables = lambda_.read_variables(self.aws, arn)
        return read_threshold(variables.get(VARIABLE), function)

    def check_account(
        self, settings: Settings, resources: Sequence[CloudResource]
    ) -> CheckedAccount:
        """Ask what the account allows of what a deployment needs; errors are answers too."""
        iam_needs = needed_actions(settings)
        return CheckedAccount(
            denied=_ask_account(
                "iam", lambda: iam.find_denied(self.aws, caller_of(self.aws.session), iam_needs)
            ),
            quotas=_ask_account(
                "service-quotas",
                lambda: quotas.sagemaker_quotas(self.aws, quota_names(resources)),
            ),
            lambda_at_once=_ask_account("lambda", lambda: lambda_.read_concurrency(self.aws)),
        )

    def pause(self, seconds: float) -> None:
        """Wait for AWS to settle."""
        self.aws.pause(seconds)


def _ask_account(service: str, call: Callable[[], Answer]) -> Answer | WorkflowError:
    """Return the answer to a question that may be refused without harm."""
    try:
        with explained(service, "the account"):
            return call()
    except WorkflowError as error:
        return error


def _service_name(key: Key) -> str:
    """Return the service of a kind, as botocore calls it."""
    service = key.kind.partition(".")[0]
    return {"states": "stepfunctions"}.get(service, service)
