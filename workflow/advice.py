"""Advice: what is weak in a workflow that somebody else made, each in words with a remedy. Pure.

Nothing here is an error: the workflow runs. Sources: Step Functions developer guide, "Best
practices", "Handling errors" and "Quotas" (a payload of 256 KiB); Lambda developer guide, "Runtime
deprecation policy"; SageMaker developer guide, "Capture data from real-time endpoint".
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

from workflow.contract import REJECTED
from workflow.discovery import EndpointRecord, FunctionRecord, states_of
from workflow.executions import Failure

_DEPRECATED: Final[Mapping[str, date]] = {
    "python2.7": date(2021, 7, 15),
    "python3.6": date(2022, 7, 18),
    "python3.7": date(2023, 12, 4),
    "python3.8": date(2024, 10, 14),
    "python3.9": date(2025, 12, 15),
    "python3.10": date(2026, 10, 31),
    "python3.11": date(2027, 6, 30),
    "nodejs16.x": date(2024, 6, 12),
    "nodejs18.x": date(2025, 9, 1),
    "nodejs20.x": date(2026, 4, 30),
}
"""End of security patches by runtime ("Lambda runtimes", read in November 2026)."""

_SOON_DAYS: Final = 180
_NAMED: Final = 3
"""States that one advice names; it counts the others."""
_BASE64_IMAGE: Final = re.compile(r"\"(iVBORw0KGgo|/9j/)[A-Za-z0-9+/]{100}")
"""Base64 of the first bytes of a PNG or a JPEG, and more of it."""


_SILENT_STATUS: Final = ("Silent.ServerError", "Silent.ClientError")


class Weight(StrEnum):
    """How much an advice matters; values are for pages."""

    HIGH = "fix this"
    LOW = "worth knowing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One weakness.

    Attributes:
        subject: The state, function or endpoint it is about.
        problem: What is weak and what follows, a sentence or two.
        remedy: What to change, a sentence.
        weight: How much it matters.
    """

    subject: str
    problem: str
    remedy: str
    weight: Weight = Weight.LOW


def definition_advice(definition: str) -> tuple[Advice, ...]:
    """Return what is weak in a definition; nothing where it cannot be read.

    Args:
        definition: ASL as JSON text.
    """
    try:
        value = json.loads(definition)
    except (ValueError, RecursionError):
        return ()
    tasks = [(name, one) for name, one in states_of(value) if one.get("Type") == "Task"]
    found = _merge_advice(advice for name, state in tasks for advice in _of_task(name, state))
    if isinstance(value, Mapping) and "TimeoutSeconds" not in value and tasks:
        bare = [name for name, state in tasks if not _has_timeout(state)]
        if bare:
            found.append(_without_timeout(bare))
    return tuple(found)


def function_advice(functions: Iterable[FunctionRecord], *, today: date) -> tuple[Advice, ...]:
    """Return which functions run on a runtime that gets no patches, now or soon."""
    return tuple(
        advice
        for function in functions
        for advice in _of_runtime(function, _end_of_support(function), today)
    )


def endpoint_advice(endpoint: EndpointRecord) -> tuple[Advice, ...]:
    """Return what is weak in an endpoint's data capture."""
    return tuple(_of_endpoint(endpoint))


def outcome_advice(failures: Iterable[Failure], payloads: Sequence[str]) -> tuple[Advice, ...]:
    """Return what executions show: errors in outputs, bare exceptions, images in the state.

    Args:
        failures: Why executions failed, or succeeded wrongly.
        payloads: Inputs and outputs of states, as JSON text.
    """
    return tuple(_of_outcomes(tuple(failures), payloads))


def _of_task(name: str, state: Mapping[str, Any]) -> Iterator[Advice]:
    retries = [one for one in _as_list(state.get("Retry")) if isinstance(one, Mapping)]
    if not retries:
        yield Advice(
            subject=name,
            problem="The state has no Retry: one throttled call or one lost connection fails the "
            "whole execution.",
            remedy="Retry Lambda.ServiceException, Lambda.AWSLambdaException, "
            "Lambda.SdkClientException and Lambda.TooManyRequestsException, with backoff.",
            weight=Weight.HIGH,
        )
    for retry in retries:
        if set(_as_list(retry.get("ErrorEquals"))) & {"States.ALL", "States.TaskFailed"}:
            yield Advice(
                subject=name,
                problem="The state retries every error: a rejected or unreadable image is tried "
                "again in vain, which costs time and invocations.",
                remedy="Name the errors that pass by themselves in ErrorEquals, and leave the "
                "others to fail at once.",
            )
            break


def _without_timeout(states: Sequence[str]) -> Advice:
    return Advice(
        subject=_join_names(states),
        problem="Neither the state machine nor its tasks have TimeoutSeconds: a task that never "
        "answers keeps its execution running for up to a year.",
        remedy="Set TimeoutSeconds on each Task, a little above the function's own timeout.",
    )


def _merge_advice(advice: Iterable[Advice]) -> list[Advice]:
    """Merge equal advice into one that names all its states."""
    subjects: dict[Advice, list[str]] = {}
    for one in advice:
        # Equal but for the subject: frozen dataclasses serve as keys.
        subjects.setdefault(replace(one, subject=""), []).append(one.subject)
    return [replace(one, subject=_join_names(names)) for one, names in subjects.items()]


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _has_timeout(state: Mapping[str, Any]) -> bool:
    return "TimeoutSeconds" in state or "TimeoutSecondsPath" in state


def _end_of_support(function: FunctionRecord) -> date | None:
    return _DEPRECATED.get(function.runtime)


def _of_runtime(function: FunctionRecord, end: date | None, today: date) -> Iterator[Advice]:
    if end is None or (end - today).days > _SOON_DAYS:
        return
    over = end <= today
    yield Advice(
        subject=function.name,
        problem=f"The runtime {function.runtime} "
        f"{'gets no security patches since' if over else 'gets security patches only until'} "
        f"{end:%d %B %Y}; later the function can no longer be updated.",
        remedy="Move the function to python3.13 or another supported runtime.",
        weight=Weight.HIGH if over else Weight.LOW,
    )


def _of_endpoint(endpoint: EndpointRecord) -> Iterator[Advice]:
    if endpoint.captures is None or not endpoint.capturing:
        yield Advice(
            subject=endpoint.name,
            problem="Data capture is off: nothing tells later what the model was asked and what "
            "it answered.",
            remedy="Update the endpoint to a configuration with a DataCaptureConfig "
            "(EnableCapture, DestinationS3Uri, CaptureOptions Input and Output).",
            weight=Weight.HIGH,
        )
        return
    if not endpoint.keeps_text:
        yield Advice(
            subject=endpoint.name,
            problem="Data capture names no content types, so SageMaker stores even JSON answers "
            "as base64. This page reads them all the same; other tools may not.",
            remedy="Set CaptureContentTypeHeader with JsonContentTypes application/json and "
            "CsvContentTypes text/csv.",
        )
    if endpoint.sampling_percentage < 100:  # noqa: PLR2004 - per cent
        yield Advice(
            subject=endpoint.name,
            problem=f"Only {endpoint.sampling_percentage:g} % of the invocations are captured; "
            "counts on the Inferences page are those of the sample.",
            remedy="Raise InitialSamplingPercentage where every inference matters.",
        )


def _of_outcomes(failures: Sequence[Failure], payloads: Sequence[str]) -> Iterator[Advice]:
    hidden = [one for one in failures if one.error in ("Silent.ErrorInOutput", *_SILENT_STATUS)]
    if hidden:
        yield Advice(
            subject=hidden[-1].state or "the last state",
            problem=f"{_count_executions(hidden)} SUCCEEDED although the output holds an error: "
            "no alarm rings and no retry helps.",
            remedy="Raise an exception in the function instead of returning the error.",
            weight=Weight.HIGH,
        )
    bare = [one for one in failures if one.error == "Exception" and REJECTED in one.cause]
    if bare:
        yield Advice(
            subject=bare[-1].state or "the filter",
            problem=f"{_count_executions(bare)} below the threshold failed with a bare Exception: "
            "neither a Retry nor a Catch nor an alarm can tell them from a defect.",
            remedy="Raise a class of your own, such as class ThresholdNotMet(Exception), "
            "or let a Choice state lead to a Fail state with that error.",
        )
    if any(_holds_image(text) for text in payloads):
        yield Advice(
            subject="the state",
            problem="Images travel as base64 from state to state: a payload may have 256 KiB, so "
            "a photo of more than about 190 kB fails the execution.",
            remedy="Pass bucket and key, and read the image in the function that needs it.",
            weight=Weight.HIGH,
        )


def _count_executions(failures: Sequence[Failure]) -> str:
    return "1 execution" if len(failures) == 1 else f"{len(failures):,} executions"


def _holds_image(text: str) -> bool:
    return _BASE64_IMAGE.search(text.replace('\\"', '"')) is not None


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
