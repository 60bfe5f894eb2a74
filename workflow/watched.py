"""Watched workflows: what the dashboard looks at, whoever made it and whatever it is called.

A workflow that ``deploy`` made is one of them (``of_deployment``); any other is named by its state
machine, by where its captures lie, or by both. Every page asks a ``WatchedWorkflow`` for names and
derives none itself.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from workflow.addresses import AddressError, checked_bucket
from workflow.class_names import ClassNames
from workflow.contract import LABELS
from workflow.errors import WorkflowError
from workflow.monitoring import CapturePlace
from workflow.settings import Settings
from workflow.thresholds import LOWEST

DEFAULT_TEMPLATE: Final = (
    '{"s3_bucket": "{bucket}", "s3_key": "{key}", "image_data": "", "inferences": []}'
)
"""Input of the original project; ``{bucket}`` and ``{key}`` stand for the image."""

NO_THRESHOLD: Final = "no threshold was found, so no confidence is too low"
"""Where the threshold of a workflow is known from, when nothing states one."""

_ARN: Final = re.compile(
    r"arn:(?P<partition>[a-z-]+):states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):"
    r"(?P<kind>stateMachine|execution|express):(?P<name>[^:]+)(:(?P<rest>.+))?"
)
_FORBIDDEN: Final = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")
"""Characters that the name of a state machine cannot have (API reference, CreateStateMachine)."""
_PLACEHOLDER: Final = re.compile(r"\{bucket\}|\{key\}")
_LONGEST_NAME: Final = 80
_NOT_IN_FILES: Final = re.compile(r"[^A-Za-z0-9_-]+")
_SLUG_CHARACTERS: Final = 40
_DIGEST_CHARACTERS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedWorkflow:
    """One workflow and all that the pages need to know of it.

    Attributes:
        name: What people call it.
        state_machine_arn: Without version and alias; empty where only captures are watched.
        express: Whether the state machine is of type EXPRESS, which keeps no executions.
        started_through: ARN that new executions are started through: an alias, or the state
            machine itself.
        functions: Names of the functions that its Task states call, as far as they are known.
        endpoint: Name of the SageMaker endpoint; empty where it is not known.
        endpoint_source: Why the endpoint is thought to be that one; empty where somebody said so.
        captures: Where its captures lie; None where the endpoint is to be asked.
        classes: Names of the classes, by their index in an answer.
        threshold: Confidence that a success needs where nothing else states one, 0 to 1; of no
            meaning where its source is ``NO_THRESHOLD``, see ``stated_threshold``.
        threshold_source: Where the threshold is known from, for people.
        owes_inference: Whether a success without an inference is wrong.
        fixed_image: Image that the definition itself names; empty where it comes with the input.
        image_path: JSONPath of the image in the execution's input; empty to look for it.
        input_template: Input of a new execution, with ``{bucket}`` and ``{key}``.
        bucket: Where images are put and notes and batches are kept; empty where nothing may be
            written, and notes then stay on this machine.
        upload_prefix: Key prefix of submitted images, with its final slash.
        queue: Name of the queue of status changes; empty where there is none.
        topic_arn: Where alerts are published; empty where they are not.
        imported: Digest of the files that it was imported from; empty for one that is in AWS.
        deciding_function: Name of the function whose environment holds the threshold; empty where
            it is not known.
        resource_prefix: First part of the names of its models, endpoint configurations and alarms;
            empty where they follow no rule.
        tags: What everything that is created for it is tagged with, as names and values.
        deployed: Whether ``deploy`` made it, so that its names follow from the settings.
    """

    name: str
    state_machine_arn: str = ""
    express: bool = False
    started_through: str = ""
    functions: tuple[str, ...] = ()
    endpoint: str = ""
    endpoint_source: str = ""
    captures: CapturePlace | None = None
    classes: tuple[str, ...] = LABELS
    threshold: float = LOWEST
    threshold_source: str = NO_THRESHOLD
    owes_inference: bool = False
    fixed_image: str = ""
    image_path: str = ""
    input_template: str = DEFAULT_TEMPLATE
    bucket: str = ""
    upload_prefix: str = "images/"
    queue: str = ""
    topic_arn: str = ""
    imported: str = ""
    deciding_function: str = ""
    resource_prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    deployed: bool = False

    @property
    def reference(self) -> str:
        """What names it in an address: the state machine's ARN, else where its captures lie."""
        if self.imported:
            return f"imported-{self.imported}"
        return self.state_machine_arn or (str(self.captures) if self.captures else self.name)

    @property
    def class_names(self) -> ClassNames:
        """The names of its classes."""
        return ClassNames(self.classes)

    @property
    def stated_threshold(self) -> float:
        """The threshold that somebody or something stated; 0 where none was found."""
        return 0.0 if self.threshold_source == NO_THRESHOLD else self.threshold

    @property
    def lists_executions(self) -> bool:
        """Whether AWS has a list of its executions."""
        return bool(self.state_machine_arn) and not self.express

    @property
    def store_name(self) -> str:
        """Last part of the names of its stores: unique, and safe as a file name."""
        if self.deployed:
            return self.name
        slug = _NOT_IN_FILES.sub("-", self.name).strip("-")[:_SLUG_CHARACTERS]
        return f"watched-{slug}-{_short_digest(self.reference)}"

    @property
    def executions_store_name(self) -> str:
        """Likewise for executions, which are read again where their reading was corrected."""
        if self.deployed:
            return self.name
        known = (self.classes, self.threshold, self.owes_inference, self.image_path)
        return f"{self.store_name}-{_short_digest(repr((*known, self.fixed_image)))}"


@dataclass(frozen=True, slots=True)
class StateMachineName:
    """A state machine as somebody named it.

    Attributes:
        arn: Without version and alias.
        started_through: With the alias that was named, else the same.
    """

    arn: str
    started_through: str

    @property
    def name(self) -> str:
        """The state machine's name."""
        return self.arn.rpartition(":")[2]


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def of_deployment(settings: Settings) -> WatchedWorkflow:
    """Return the workflow that ``deploy`` makes of these settings."""
    own = CapturePlace(settings.bucket, settings.capture_prefix)
    return WatchedWorkflow(
        name=settings.prefix,
        state_machine_arn=settings.state_machine_arn,
        started_through=settings.alias_arn,
        functions=(
            settings.serialize_function,
            settings.classify_function,
            settings.filter_function,
        ),
        endpoint=settings.endpoint,
        captures=None if settings.existing_endpoint else own,
        threshold=settings.threshold,
        threshold_source="the settings of the deployment",
        owes_inference=True,
        bucket=settings.bucket,
        upload_prefix=settings.upload_prefix,
        queue=settings.executions_queue,
        topic_arn=settings.topic_arn,
        deciding_function=settings.filter_function,
        resource_prefix=settings.prefix,
        tags=tuple(settings.tags.items()),
        deployed=True,
    )


def read_state_machine(text: str, *, partition: str, region: str, account: str) -> StateMachineName:
    """Read the name or the ARN of a state machine, its alias or version, or one of its executions.

    Args:
        text: As somebody gave it.
        partition: Of the account that is watched, such as ``aws``.
        region: Likewise.
        account: Likewise, twelve digits.

    Raises:
        WorkflowError: ``StateMachineNameInvalid``; ``OtherRegion`` or ``OtherAccount`` where the
            ARN belongs elsewhere, so that no call from here can reach it.
    """
    said = text.strip().strip("\"'")
    if not said.startswith("arn:"):
        if not said or len(said) > _LONGEST_NAME or _FORBIDDEN.search(said):
            raise _no_state_machine(said)
        arn = f"arn:{partition}:states:{region}:{account}:stateMachine:{said}"
        return StateMachineName(arn, arn)
    found = _ARN.fullmatch(said)
    if found is None:
        raise _no_state_machine(said)
    if found["region"] != region:
        raise WorkflowError(
            "OtherRegion",
            f"The state machine {found['name']} is in {found['region']}; this page watches "
            f"{region}.",
            f"Start the dashboard with AWS_REGION={found['region']}.",
        )
    if found["account"] != account:
        raise WorkflowError(
            "OtherAccount",
            f"The state machine {found['name']} belongs to account {found['account']}; the "
            f"credentials in use are of {account}.",
            "Start the dashboard with credentials of that account (AWS_PROFILE).",
        )
    arn = f"arn:{found['partition']}:states:{region}:{account}:stateMachine:{found['name']}"
    # After an execution's name, or an express execution's id, there is no alias.
    alias = found["rest"] if found["kind"] == "stateMachine" else None
    return StateMachineName(arn, f"{arn}:{alias}" if alias and not alias.isdigit() else arn)


def read_captures_uri(text: str) -> CapturePlace:
    """Read ``s3://bucket/prefix``, with or without a final slash, or a bucket alone.

    Raises:
        WorkflowError: ``CapturesUriInvalid``.
    """
    said = text.strip().strip("\"'")
    bucket, _, prefix = said.removeprefix("s3://").partition("/")
    try:
        return CapturePlace(checked_bucket(bucket), prefix.strip("/"))
    except AddressError as error:
        raise WorkflowError(
            "CapturesUriInvalid",
            f"{said[:100]!r} is not where captures lie: {error.message}",
            "Give s3://bucket/prefix: the DestinationS3Uri of the endpoint's data capture.",
        ) from None


def named(found: StateMachineName) -> WatchedWorkflow:
    """Return a workflow of which only the state machine is known yet."""
    return WatchedWorkflow(
        name=found.name, state_machine_arn=found.arn, started_through=found.started_through
    )


def captured_at(place: CapturePlace) -> WatchedWorkflow:
    """Return a workflow of which only the captures are known."""
    return WatchedWorkflow(name=str(place), captures=place, endpoint=place.endpoint)


def read_reference(text: str, *, partition: str, region: str, account: str) -> WatchedWorkflow:
    """Return the workflow that a reference names: a state machine, or ``s3://`` for captures.

    Raises:
        WorkflowError: As ``read_captures_uri`` and ``read_state_machine``.
    """
    if text.strip().startswith("s3://"):
        return captured_at(read_captures_uri(text))
    return named(read_state_machine(text, partition=partition, region=region, account=account))


def of_environment(
    environ: Mapping[str, str], *, partition: str, region: str, account: str
) -> WatchedWorkflow | None:
    """Return the workflow of ``SCONES_STATE_MACHINE`` and ``SCONES_CAPTURES_URI``, if any.

    Raises:
        WorkflowError: As ``read_reference``.
    """
    machine, uri = environ.get("SCONES_STATE_MACHINE"), environ.get("SCONES_CAPTURES_URI")
    captures = read_captures_uri(uri) if uri else None
    if not machine:
        return captured_at(captures) if captures else None
    found = read_reference(machine, partition=partition, region=region, account=account)
    return replace(found, captures=captures)


def filled_input(template: str, bucket: str, key: str) -> str:
    """Return the input of an execution, as JSON text.

    Args:
        template: JSON with ``{bucket}`` and ``{key}`` inside strings.
        bucket: Of the image.
        key: Of the image; may hold quotes and backslashes.

    Raises:
        WorkflowError: ``TemplateInvalid`` where the template names no key or makes no JSON.
    """
    if "{key}" not in template:
        raise _no_template("it does not contain {key}")
    try:
        value = json.loads(template)
    except (ValueError, RecursionError) as error:
        raise _no_template(f"it is not JSON ({error})") from None
    # Filled in the parsed value, so that a key with a quote in it stays one string.
    return json.dumps(
        _fill_placeholders(value, {"{bucket}": bucket, "{key}": key}), ensure_ascii=False
    )


def _fill_placeholders(value: object, words: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: words[found[0]], value)
    if isinstance(value, dict):
        return {name: _fill_placeholders(item, words) for name, item in value.items()}
    return [_fill_placeholders(item, words) for item in value] if isinstance(value, list) else value


def _no_template(reason: str) -> WorkflowError:
    return WorkflowError(
        "TemplateInvalid",
        f"The input template cannot be used: {reason}.",
        f"Write JSON with both placeholders in strings, such as {DEFAULT_TEMPLATE}",
    )


def _no_state_machine(said: str) -> WorkflowError:
    return WorkflowError(
        "StateMachineNameInvalid",
        f"{said[:100]!r} is neither the name nor the ARN of a state machine.",
        "Copy the ARN from the Step Functions console, such as "
        "arn:aws:states:eu-west-1:123456789012:stateMachine:my-workflow.",
    )
