"""What the Workflows page shows: workflows with their health, and what was found of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from dashboard.shared import numbers
from dashboard.shared.palette import STYLES
from workflow.advice import Advice
from workflow.discovery import EndpointRecord, FunctionRecord
from workflow.errors import WorkflowError
from workflow.execution_rules import ExecutionRules
from workflow.executions import Execution
from workflow.image_search import image_at
from workflow.thresholds import LOWEST
from workflow.watched import (
    NO_THRESHOLD,
    WatchedWorkflow,
    filled_input,
    read_captures_uri,
)

SAID_BY_YOU = "entered by you"
"""Where a value is known from that somebody typed."""

UNKNOWN = "not known yet"
FAILED = "Failed or rejected in 24 h"
"""Column of what Step Functions lists as failed: it lists rejections among them."""

MOST_SHOWN = 200
"""State machines in one table; a filter finds the others."""


@dataclass(frozen=True, slots=True)
class WorkflowHealth:
    """How a workflow does, in words; ``problem`` where that may not be read.

    Attributes:
        last: When it last ran, such as ``12 min ago``.
        failures: Within 24 hours, such as ``3`` or ``100 or more``.
        problem: Why neither is known; empty where both are.
    """

    last: str
    failures: str
    problem: str = ""


_UNASKED = WorkflowHealth(UNKNOWN, UNKNOWN)
_UNLISTED = WorkflowHealth("-", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a person typed of a workflow; every field as text."""

    endpoint: str
    captures: str
    classes: str
    threshold: str
    image_path: str
    input_template: str
    bucket: str


def watched_table(
    workflows: Sequence[WatchedWorkflow], health: Mapping[str, WorkflowHealth]
) -> pd.DataFrame:
    """Return a row for each watched workflow.

    Args:
        workflows: The deployed one among them.
        health: By reference; one that is not known yet is left out.
    """
    rows = []
    for one in workflows:
        known = health.get(one.reference, _UNASKED if one.lists_executions else _UNLISTED)
        rows.append(
            {
                "Workflow": one.name,
                "Last execution": known.last,
                FAILED: known.failures,
                "Endpoint": one.endpoint or UNKNOWN,
                "Made by": "deploy" if one.deployed else "others",
                "Remark": "Imported from files." if one.imported else known.problem,
            }
        )
    return pd.DataFrame(rows)


def health_in_words(
    last: datetime | None, failures: int, *, more: bool, gone: bool, now: datetime
) -> WorkflowHealth:
    """Say how a state machine does."""
    if gone:
        problem = "There is no such state machine: deleted, or not deployed yet."
        return WorkflowHealth("-", "-", problem)
    ran = "never" if last is None else f"{numbers.format_age(last, now)} ago"
    return WorkflowHealth(ran, f"{failures:,}{' or more' if more else ''}")


def found_names(names: Iterable[str], wanted: str) -> list[int]:
    """Return the places of the names that contain a text, whatever its case; the first 200."""
    text = wanted.strip().casefold()
    places = [at for at, name in enumerate(names) if text in name.casefold()]
    return places[:MOST_SHOWN]


def list_facts(workflow: WatchedWorkflow) -> tuple[tuple[str, str, str], ...]:
    """Return what is known of a workflow: its name, its value, and where that is known from."""
    captures = str(workflow.captures) if workflow.captures else "asked of the endpoint"
    image = workflow.image_path or workflow.fixed_image or "any S3 location in the input"
    stated = workflow.stated_threshold
    demanded = numbers.format_share(stated) if stated else "none"
    other = workflow.started_through not in ("", workflow.state_machine_arn)
    through = f"executions are started through {workflow.started_through}" if other else ""
    machine = "none, imported files" if workflow.imported else "none, captures only"
    return (
        ("State machine", workflow.state_machine_arn or machine, through),
        ("Functions", ", ".join(workflow.functions) or UNKNOWN, ""),
        ("Endpoint", workflow.endpoint or UNKNOWN, workflow.endpoint_source),
        ("Captures", captures if workflow.captures or workflow.endpoint else UNKNOWN, ""),
        ("Image", image, ""),
        ("Classes", ", ".join(workflow.classes), ""),
        ("Threshold", demanded, workflow.threshold_source),
        ("Notes", f"s3://{workflow.bucket}" if workflow.bucket else "on this machine only", ""),
    )


def apply_corrections(workflow: WatchedWorkflow, said: Correction) -> WatchedWorkflow:
    """Return a workflow with what a person said of it.

    Raises:
        WorkflowError: ``CapturesUriInvalid``, ``TemplateInvalid``, ``PathInvalid``,
            ``ThresholdInvalid`` or ``ClassesInvalid``; nothing is changed then.
    """
    filled_input(said.input_template, "bucket", "key.png")
    if said.image_path:
        image_at("{}", said.image_path)
    endpoint = said.endpoint.strip()
    threshold, source = _parse_threshold(workflow, said.threshold)
    return replace(
        workflow,
        endpoint=endpoint,
        endpoint_source=workflow.endpoint_source if endpoint == workflow.endpoint else SAID_BY_YOU,
        captures=read_captures_uri(said.captures) if said.captures.strip() else None,
        classes=_parse_classes(said.classes),
        threshold=threshold,
        threshold_source=source,
        image_path=said.image_path.strip(),
        input_template=said.input_template,
        bucket=read_captures_uri(said.bucket).bucket if said.bucket.strip() else "",
    )


def functions_table(functions: Iterable[FunctionRecord]) -> pd.DataFrame:
    """Return a row for each function."""
    rows = [
        {
            "Function": one.name,
            "Runtime": one.runtime or "container image",
            "Timeout": f"{one.timeout_s} s",
            "Last change": one.last_modified[:19],
            "Role": one.role.rpartition("/")[2],
        }
        for one in functions
    ]
    return pd.DataFrame(rows, columns=["Function", "Runtime", "Timeout", "Last change", "Role"])


def endpoints_table(endpoints: Iterable[EndpointRecord]) -> pd.DataFrame:
    """Return a row for each endpoint."""
    rows = [
        {
            "Endpoint": one.name,
            "Status": one.status or UNKNOWN,
            "Captures": str(one.captures) if one.captures else "none",
            "Share captured": f"{one.sampling_percentage:g} %" if one.capturing else "-",
            "Configuration": one.configuration,
        }
        for one in endpoints
    ]
    names = ["Endpoint", "Status", "Captures", "Share captured", "Configuration"]
    return pd.DataFrame(rows, columns=names)


def express_table(executions: Iterable[Execution], rules: ExecutionRules) -> pd.DataFrame:
    """Return a row for each execution that an EXPRESS state machine logged; shares in percent."""
    rows = []
    for one in executions:
        found = rules.inference(one)
        seconds = (one.stopped_at - one.started_at).total_seconds() if one.stopped_at else None
        rows.append(
            {
                "Started": one.started_at,
                "Outcome": STYLES[rules.outcome(one)].word,
                "Class": found.label if found else None,
                "Confidence": 100 * found.confidence if found else None,
                "Error": one.error,
                "Cause": one.cause,
                "Took": seconds,
                "Image": rules.image(one),
                "Execution": one.name,
            }
        )
    return pd.DataFrame(rows)


def by_weight(advice: Iterable[Advice]) -> list[Advice]:
    """Return advice with what matters most first."""
    return sorted(advice, key=lambda one: (one.weight.name, one.subject))


def _parse_classes(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if len(names) < 2:  # noqa: PLR2004 - one class is no choice
        raise WorkflowError(
            "ClassesInvalid",
            f"{text[:80]!r} names fewer than two classes.",
            "Give the names in the order of the model's answer, such as bicycle, motorcycle.",
        )
    return names


def _parse_threshold(workflow: WatchedWorkflow, text: str) -> tuple[float, str]:
    said = text.strip()
    if not said:
        return LOWEST, NO_THRESHOLD
    try:
        value = float(said)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise WorkflowError(
            "ThresholdInvalid",
            f"{said[:40]!r} is not a confidence.",
            "Give a number from 0 to 1, or leave it empty where the workflow has none.",
        )
    if value == workflow.threshold and workflow.threshold_source != NO_THRESHOLD:
        return value, workflow.threshold_source
    return value, SAID_BY_YOU
