"""The edge of rollouts: the variants of an endpoint, their models and weights.

Sources: "CreateEndpointConfig", "UpdateEndpoint" and "UpdateEndpointWeightsAndCapacities" of the
SageMaker API reference. An endpoint configuration cannot be changed: a rollout begins with a copy
of it that has a second variant, or a shadow variant.
"""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
from botocore.exceptions import ClientError

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from dashboard.captures.feed import CaptureFeed
from dashboard.rollout.shadow_model import pair_answers
from workflow.captures import SHADOW_VARIANT
from workflow.errors import WorkflowError
from workflow.known_errors import passes_by_itself, read_error

NEW_VARIANT: Final = "NewModel"
"""Name of the variant that a rollout adds."""

IN_SERVICE: Final = "InService"
_LISTED: Final = 20
# What a new configuration would lose; without capture nothing could be compared.
_COPIED: Final = ("DataCaptureConfig", "KmsKeyId", "VpcConfig", "EnableNetworkIsolation")


@dataclass(frozen=True, slots=True)
class Variant:
    """A production variant.

    Attributes:
        name: Of the variant.
        model: Name of its model.
        weight: Its share of the traffic, 0 to 1.
    """

    name: str
    model: str
    weight: float


@dataclass(frozen=True, slots=True)
class ServedEndpoint:
    """What an endpoint serves.

    Attributes:
        name: Of the endpoint.
        status: ``InService``, ``Updating``, ``Failed`` and so on.
        failure: Why the last update failed; empty where it did not.
        config: Name of its configuration.
        since: When that configuration was made.
        variants: Its production variants, the one in use first.
        shadow: Its shadow variant, whose weight is the share of requests that it gets a copy of.
    """

    name: str
    status: str
    failure: str
    config: str
    since: datetime
    variants: tuple[Variant, ...]
    shadow: Variant | None = None


def describe_endpoint(cloud: Connection) -> ServedEndpoint:
    """Return what the workflow's endpoint serves.

    Raises:
        WorkflowError: Under AWS's code.
    """
    name = cloud.watched.endpoint
    with explained("sagemaker:DescribeEndpoint", name):
        found = cloud.client("sagemaker").describe_endpoint(EndpointName=name)
    config = _describe_config(cloud, found["EndpointConfigName"])
    models = {one["VariantName"]: one["ModelName"] for one in config["ProductionVariants"]}
    given = {
        one["VariantName"]: float(one.get("CurrentWeight", one.get("DesiredWeight", 0.0)))
        for one in found.get("ProductionVariants", ())
    }
    # Weights are relative: they are shares only when divided by their sum.
    total = sum(given.values()) or 1.0
    variants = [Variant(one, served, given.get(one, 0.0) / total) for one, served in models.items()]
    return ServedEndpoint(
        name=name,
        status=found["EndpointStatus"],
        failure=found.get("FailureReason", ""),
        config=found["EndpointConfigName"],
        since=config["CreationTime"],
        variants=tuple(sorted(variants, key=lambda one: one.name == NEW_VARIANT)),
        shadow=_find_shadow(config, total),
    )


def _find_shadow(config: Mapping[str, Any], total: float) -> Variant | None:
    """Return the shadow variant; its share is its weight in relation to the production variant."""
    for one in config.get("ShadowProductionVariants", ()):
        share = min(1.0, float(one.get("InitialVariantWeight", 1.0)) / total)
        return Variant(one["VariantName"], one["ModelName"], share)
    return None


def _describe_config(cloud: Connection, name: str) -> dict[str, Any]:
    with explained("sagemaker:DescribeEndpointConfig", name):
        found: dict[str, Any] = cloud.client("sagemaker").describe_endpoint_config(
            EndpointConfigName=name
        )
    return found


def list_candidates(cloud: Connection, endpoint: ServedEndpoint) -> list[str]:
    """Return the models of this deployment that the endpoint does not serve, the newest first.

    Raises:
        WorkflowError: Under AWS's code.
    """
    prefix = cloud.watched.resource_prefix
    with explained("sagemaker:ListModels", prefix):
        found = cloud.client("sagemaker").list_models(
            NameContains=prefix,
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=_LISTED,
        )
    served = {one.model for one in (*endpoint.variants, endpoint.shadow) if one}
    names = [one["ModelName"] for one in found["Models"]]
    return [name for name in names if name.startswith(prefix) and name not in served]


def read_captured(feed: CaptureFeed) -> pl.DataFrame:
    """Return ``inference_time``, ``variant`` and ``confidence`` of every record, to compare."""
    columns = ("inference_time", "variant", "confidence")
    return feed.store.scan("captures").select(columns).collect()


def read_pairs(feed: CaptureFeed, since: datetime) -> pl.DataFrame:
    """Return the requests that the variant in use and its shadow both answered since a moment.

    Returns:
        A frame of ``shadow_model.PAIRS``.
    """
    recent = pl.col("inference_time") >= since
    captures, shadows = (feed.store.scan(one).filter(recent) for one in ("captures", "shadows"))
    return pair_answers(captures, shadows)


def new_token() -> str:
    """Return 12 hex digits for the name of a configuration that nothing else has."""
    return uuid.uuid4().hex[:12]


def start_rollout(
    cloud: Connection,
    endpoint: ServedEndpoint,
    name: str,
    share: float,
    token: str,
    *,
    shadow: bool = False,
) -> None:
    """Serve a model beside the one in use.

    Args:
        cloud: Where.
        endpoint: As it was when somebody decided to.
        name: Of the new model.
        share: Of the traffic that it gets, or gets a copy of, above 0 to 1.
        token: 12 hex digits that make the configuration's name one of this deployment's.
        shadow: Whether it gets copies of requests, and no caller sees what it answers.

    Raises:
        WorkflowError: ``RolloutUnderWay`` where there are two variants already; AWS's own code.
    """
    # Asked for again: the page may be old, and a rollout of somebody else would be lost.
    now = describe_endpoint(cloud)
    if len(now.variants) > 1 or now.shadow or now.config != endpoint.config:
        raise WorkflowError(
            "RolloutUnderWay",
            f"The endpoint {now.name} has changed since this page was loaded.",
            "Look at what it serves now; one rollout at a time can be compared.",
        )
    config = _describe_config(cloud, now.config)
    (variant,) = config["ProductionVariants"]
    new = {**variant, "ModelName": name, "InitialVariantWeight": share}
    if shadow:
        before = [{**variant, "InitialVariantWeight": 1.0}]
        shadows = [{**new, "VariantName": SHADOW_VARIANT}]
        _update_variants(cloud, now, config, token, before, ShadowProductionVariants=shadows)
    else:
        before = [{**variant, "InitialVariantWeight": 1 - share}]
        _update_variants(cloud, now, config, token, [*before, {**new, "VariantName": NEW_VARIANT}])


def end_shadow(cloud: Connection, endpoint: ServedEndpoint, token: str, *, promote: bool) -> None:
    """End the shadow variant, whose model takes the place of the one in use or goes.

    Args:
        cloud: Where.
        endpoint: As it was when somebody decided to.
        token: As in ``start_rollout``.
        promote: Whether the shadow's model is served from now on.

    Raises:
        WorkflowError: ``NoShadow`` where there is none, or another by now; AWS's own code.
    """
    now = describe_endpoint(cloud)
    if now.shadow is None or now.config != endpoint.config:
        raise WorkflowError(
            "NoShadow",
            f"The endpoint {now.name} has changed since this page was loaded.",
            "Look at what it serves now.",
        )
    config = _describe_config(cloud, now.config)
    (variant,) = config["ProductionVariants"]
    promoted = {"ModelName": now.shadow.model} if promote else {}
    _update_variants(cloud, now, config, token, [{**variant, **promoted}])


def _update_variants(
    cloud: Connection,
    now: ServedEndpoint,
    config: Mapping[str, Any],
    token: str,
    variants: list[dict[str, Any]],
    **others: Any,  # noqa: ANN401 - members of the request
) -> None:
    """Update the endpoint to a copy of its configuration that has other variants."""
    name = f"{cloud.watched.resource_prefix}-{token}"
    kept = {field: config[field] for field in _COPIED if config.get(field)}
    tags = [{"Key": key, "Value": value} for key, value in cloud.watched.tags]
    with explained("sagemaker:CreateEndpointConfig", name):
        try:
            cloud.client("sagemaker").create_endpoint_config(
                EndpointConfigName=name, ProductionVariants=variants, Tags=tags, **kept, **others
            )
        except ClientError as error:
            # No other has this name: boto3 has asked again after an answer was lost.
            if "already existing" not in read_error(error).message:
                raise
    try:
        with explained("sagemaker:UpdateEndpoint", now.name):
            cloud.client("sagemaker").update_endpoint(
                EndpointName=now.name, EndpointConfigName=name
            )
    except WorkflowError as error:
        if not _is_refusal(error):  # the update may have begun, and needs its configuration
            raise
        if _is_updating_to(cloud, now.name, name):  # asked again after an answer was lost
            return
        # Somebody else began an update since: theirs goes on.
        with suppress(WorkflowError), explained("sagemaker:DeleteEndpointConfig", name):
            cloud.client("sagemaker").delete_endpoint_config(EndpointConfigName=name)
        raise


def _is_updating_to(cloud: Connection, endpoint: str, config: str) -> bool:
    """Return whether an endpoint serves a configuration, or is being updated to it."""
    with explained("sagemaker:DescribeEndpoint", endpoint):
        found = cloud.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    pending = found.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
    return config in {found["EndpointConfigName"], pending}


def _is_refusal(error: WorkflowError) -> bool:
    """Return whether AWS answered that it does not do what was asked."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    said = read_error(cause)
    return not passes_by_itself(said.code, said.message, said.status)


def give_share(cloud: Connection, endpoint: ServedEndpoint, share: float) -> None:
    """Give the new variant a share of the traffic: 1 promotes it, 0 rolls it back.

    Instances stay as they are, so going back takes seconds.

    Raises:
        WorkflowError: ``NoRollout``; AWS's code, such as ``ValidationException`` during an update.
    """
    # Weights of a single variant would change nothing and look as if they had.
    if len(endpoint.variants) != 2:  # noqa: PLR2004 - the one in use and the new one
        raise WorkflowError(
            "NoRollout",
            f"The endpoint {endpoint.name} does not serve two models, so there is no traffic"
            " to divide.",
            "While it is Updating, wait: what was served before goes on until then.",
        )
    old, new = endpoint.variants
    weights = {old.name: 1 - share, new.name: share}
    with explained("sagemaker:UpdateEndpointWeightsAndCapacities", endpoint.name):
        sagemaker = cloud.client("sagemaker")
        try:
            sagemaker.update_endpoint_weights_and_capacities(
                EndpointName=endpoint.name,
                DesiredWeightsAndCapacities=[
                    {"VariantName": one, "DesiredWeight": weight} for one, weight in weights.items()
                ],
            )
        except ClientError:
            found = sagemaker.describe_endpoint(EndpointName=endpoint.name)["ProductionVariants"]
            # Refused where boto3 asked again after an answer was lost: the update is under way.
            if {one["VariantName"]: one.get("DesiredWeight") for one in found} != weights:
                raise
