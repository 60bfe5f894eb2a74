"""The edge to where an endpoint captures, and which of its variants are shadows.

Source: SageMaker API reference, DescribeEndpoint (``DataCaptureConfigSummary``,
``ShadowProductionVariants``) and DescribeEndpointConfig (``DataCaptureConfig``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow.captures import SHADOW_VARIANT
from workflow.errors import WorkflowError
from workflow.monitoring import CapturePlace

_TURN_ON = (
    "Create an endpoint configuration with a DataCaptureConfig (EnableCapture, DestinationS3Uri, "
    "CaptureOptions Input and Output) and update the endpoint to it."
)


@dataclass(frozen=True, slots=True)
class CaptureSetup:
    """What an endpoint says of its captures.

    Attributes:
        place: Where they lie.
        shadows: Variants whose answers no caller sees: those of rollouts, and what there is now.
    """

    place: CapturePlace
    shadows: frozenset[str]


def read_setup(cloud: Connection) -> CaptureSetup:
    """Ask the workflow's endpoint where it captures and which of its variants are shadows.

    Where the place is known already, an endpoint that cannot be asked, or is gone, has the shadows
    of rollouts alone.

    Raises:
        WorkflowError: ``CaptureNotConfigured`` where the endpoint captures nowhere; AWS's own code
            where there is no such endpoint or no permission.
    """
    watched, ours = cloud.watched, frozenset({SHADOW_VARIANT})
    if watched.captures is not None and (watched.imported or not watched.endpoint):
        return CaptureSetup(watched.captures, ours)
    try:
        described = _describe_endpoint(cloud)
    except WorkflowError:
        if watched.captures is None:
            raise
        return CaptureSetup(watched.captures, ours)
    shadows = {one["VariantName"] for one in described.get("ShadowProductionVariants", ())}
    return CaptureSetup(watched.captures or _read_place(cloud, described), ours | shadows)


def capture_place(cloud: Connection) -> CapturePlace:
    """Return where captures of the workflow's endpoint lie; no request where that is known.

    Raises:
        WorkflowError: As ``read_setup``.
    """
    return cloud.watched.captures or _read_place(cloud, _describe_endpoint(cloud))


def _describe_endpoint(cloud: Connection) -> Mapping[str, Any]:
    name = cloud.watched.endpoint
    if not name:
        raise _no_endpoint_error(cloud.watched.name)
    with explained("sagemaker:DescribeEndpoint", name):
        found: Mapping[str, Any] = cloud.client("sagemaker").describe_endpoint(EndpointName=name)
    return found


def _read_place(cloud: Connection, described: Mapping[str, Any]) -> CapturePlace:
    name = cloud.watched.endpoint
    summary: Mapping[str, Any] = described.get("DataCaptureConfig", {})
    configured: Mapping[str, Any] = {}
    notes: list[str] = []
    try:
        # The endpoint's summary does not tell which half, input or output, is captured.
        configured = _read_configured(cloud, described["EndpointConfigName"])
    except WorkflowError as error:
        notes.append(f"What {name} captures is not known: {error.message}")
    uri = str(summary.get("DestinationS3Uri") or configured.get("DestinationS3Uri") or "")
    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    if not bucket:
        raise _nowhere_error(name, described.get("ProductionVariants", ()))
    notes += _list_notes(name, summary, configured)
    return CapturePlace(bucket, prefix, name, tuple(notes))


def _read_configured(cloud: Connection, name: str) -> Mapping[str, Any]:
    with explained("sagemaker:DescribeEndpointConfig", name):
        found = cloud.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)
    return dict(found.get("DataCaptureConfig", {}))


def _no_endpoint_error(workflow: str) -> WorkflowError:
    return WorkflowError(
        "CaptureNotConfigured",
        f"Which endpoint {workflow} asks is not known, so there are no captures to read.",
        "Name the endpoint, or where its captures lie, on the Workflows page.",
    )


def _nowhere_error(name: str, variants: Iterable[Mapping[str, Any]]) -> WorkflowError:
    if any(variant.get("CurrentServerlessConfig") for variant in variants):
        return WorkflowError(
            "CaptureNotConfigured",
            f"The endpoint {name} is serverless: SageMaker captures no inferences of those.",
            "Use an endpoint on instances to see its inferences here; Executions shows each one.",
        )
    message = f"The endpoint {name} has no data capture, so there are no inferences to read."
    return WorkflowError("CaptureNotConfigured", message, _TURN_ON)


def _list_notes(
    name: str, summary: Mapping[str, Any], configured: Mapping[str, Any]
) -> Iterable[str]:
    """Yield what is to be known of what lies there, a sentence each."""
    on = summary.get("EnableCapture", configured.get("EnableCapture", True))
    if not on or summary.get("CaptureStatus") == "Stopped":
        yield f"Data capture of {name} is switched off: what is shown was captured before."
    share = summary.get("CurrentSamplingPercentage", configured.get("InitialSamplingPercentage"))
    if share is not None and share < 100:  # noqa: PLR2004 - per cent
        yield f"{name} captures {share:g} % of its invocations."
    modes = {str(option.get("CaptureMode")) for option in configured.get("CaptureOptions", ())}
    if modes and not modes & {"Output", "InputAndOutput"}:
        yield f"{name} captures inputs only: without outputs there are no inferences to read."
    elif modes and not modes & {"Input", "InputAndOutput"}:
        yield f"{name} captures outputs only: the images behind its inferences are not there."
    key = summary.get("KmsKeyId") or configured.get("KmsKeyId")
    if key:
        yield f"Captures of {name} are encrypted: reading them needs kms:Decrypt with {key}."
