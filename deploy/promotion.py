"""Promotion: a model that a rollout has given the traffic stays, unless the settings change. Pure.

The endpoint says in a tag which model of the settings was applied last, and its variants say which
models it serves. Both are facts of the account: nothing is remembered between runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from deploy.cloud import Observed
from deploy.plan import is_owned
from deploy.resources import (
    CloudResource,
    EndpointConfig,
    Key,
    Ref,
    SageMakerEndpoint,
    SageMakerModel,
)
from deploy.stack import endpoint_config
from workflow.settings import Settings

SERVES: Final = "serves"
"""Output of an endpoint: names of the models that get requests, the first variant's first."""

VARIANTS: Final = "variants"
"""Output of an endpoint configuration: how many variants it has, shadows too."""

_Found = TypeVar("_Found", SageMakerModel, EndpointConfig)


def keep_promoted(
    desired: Sequence[CloudResource], observed: Mapping[Key, Observed], settings: Settings
) -> tuple[tuple[CloudResource, ...], str]:
    """Return what is wanted without undoing a rollout, and a sentence that says what is kept.

    A model that has all traffic stays, with the other properties of the settings; while several
    models get requests, the endpoint stays as it is. The settings win where they name another
    model than the one applied last. The sentence is empty where nothing is kept.

    Args:
        desired: What the settings ask for.
        observed: What is there.
        settings: The settings.
    """
    endpoint = next((one for one in desired if isinstance(one, SageMakerEndpoint)), None)
    seen = observed.get(endpoint.key) if endpoint else None
    if endpoint is None or seen is None or seen.failure:
        return tuple(desired), ""
    asked = next(one.name for one in desired if isinstance(one, SageMakerModel))
    serves = seen.outputs.get(SERVES, "").split()
    # Without the tag (an earlier release) the first model that serves was the settings' own.
    applied = seen.properties["applied_model"] or next(iter(serves), asked)
    live = str(seen.properties["config"])
    # The settings ask for another model than at the last apply: they win.
    if not serves or applied != asked:
        return tuple(desired), ""
    found = (
        _as_found(SageMakerModel, name, observed, settings) for name in serves if name != asked
    )
    models = [one for one in found if one is not None]
    # In the middle of a rollout the endpoint belongs to the rollout.
    if len(serves) > 1:
        config = _as_found(EndpointConfig, live, observed, settings)
        before = [*models, config] if config else models
        rest = [one for one in desired if one is not endpoint]
        says = f"Kept: the rollout of {serves[1]}, until it is promoted, stopped or rolled back."
        return (*rest, *before, replace(endpoint, config=live)), says
    adopted = endpoint_config(settings, Ref(Key(SageMakerModel.KIND, asked), "name"))
    says = ""
    if serves != [asked]:
        adopted = endpoint_config(settings, Ref(models[0].key, "name") if models else serves[0])
        says = (
            f"Kept: the promoted model {serves[0]}. The settings name {asked} as at the last apply;"
            " another model in the settings, or another rollout, replaces it."
        )
    if _differs_in_name_only(observed.get(Key(EndpointConfig.KIND, live)), adopted, serves[0]):
        adopted = _as_found(EndpointConfig, live, observed, settings) or adopted
    rest = [one for one in desired if not isinstance(one, SageMakerEndpoint | EndpointConfig)]
    return (*rest, *models, adopted, replace(endpoint, config=Ref(adopted.key, "name"))), says


def _differs_in_name_only(seen: Observed | None, config: EndpointConfig, model: str) -> bool:
    """Return whether a rollout came to what is wanted: an update would change nothing."""
    wanted = {**config.properties(), "model": model}
    return seen is not None and seen.outputs.get(VARIANTS) == "1" and seen.properties == wanted


def _as_found(
    kind: type[_Found], name: str, observed: Mapping[Key, Observed], settings: Settings
) -> _Found | None:
    """Return what is there as something wanted, so that no plan deletes it; None if not ours."""
    seen = observed.get(Key(kind.KIND, name))
    if seen is None or not is_owned(seen, settings.owner):
        return None
    return kind(name=name, tags=settings.tags, **dict(seen.properties))  # type: ignore[arg-type]
