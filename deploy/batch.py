"""Batch: the state machine that classifies many photos by a distributed Map, as resources. Pure.

It calls the same versions of the functions as new executions do, with the same retries: both are
taken from the definition that is live. What is wrong with one photo is a result; what is wrong
with the functions or the endpoint fails the child execution, which a redrive runs again (ADR 0029).
"""

import json
from collections.abc import Mapping
from typing import Any

from deploy import policies
from deploy.resources import CloudResource, Document, IamRole, Key, LogGroup, Ref, StateMachine
from deploy.stack import LOG_RETENTION_DAYS, part_role, role_name
from workflow.batches import PHOTOS_AT_ONCE, RESULTS_PREFIX, Kind
from workflow.errors import WorkflowError
from workflow.settings import Settings

_TASKS = ("SerializeImage", "ClassifyImage", "FilterInferences")
_PHOTO_ERRORS = (
    "InvalidInput",
    "ImageNotFound",
    "ImageAccessDenied",
    "ImageTooLarge",
    "NotAnImage",
    "ImageChanged",
    "ModelRejected",
)
"""Errors of ``workflow.contract`` that tell of one photo, and not of the deployment."""

_READERS: Mapping[Kind, Document] = {
    Kind.PREFIX: {
        "Resource": "listObjectsV2",
        "Arguments": {
            "Bucket": "{% $states.input.bucket %}",
            "Prefix": "{% $states.input.key %}",
        },
    },
    Kind.JSONL: {"ReaderConfig": {"InputType": "JSONL"}},
    Kind.CSV: {"ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}},
    Kind.INVENTORY: {"ReaderConfig": {"InputType": "MANIFEST"}},
}
_OBJECT = {
    "Resource": "getObject",
    "Arguments": {"Bucket": "{% $states.input.bucket %}", "Key": "{% $states.input.key %}"},
}
# One form of every item: an object of a listing, a row of an inventory, or a line of a manifest,
# which may be SageMaker's with ``source-ref``. What has no key fails by itself, as InvalidInput.
_SELECTOR = (
    "{% ( $item := $states.context.Map.Item.Value;"
    " $ref := $lookup($item, 'source-ref');"
    " $key := $exists($ref) ? $ref : $exists($item.s3_key) ? $item.s3_key : $item.Key;"
    " $bucket := $exists($ref) ? '' : $exists($item.s3_bucket) ? $item.s3_bucket :"
    " $exists($item.Bucket) ? $item.Bucket : $states.input.bucket;"
    " { 's3_bucket': $bucket, 's3_key': $exists($key) ? $key : '' } ) %}"
)
_FIELDS = ("s3_bucket", "s3_key", "label", "confidence", "threshold", "inference_id")


def batch_keys(settings: Settings) -> tuple[Key, ...]:
    """Return the keys of all resources of batch classification."""
    return (
        Key(IamRole.KIND, role_name(settings, "batch")),
        Key(LogGroup.KIND, _log_group(settings)),
        Key(StateMachine.KIND, settings.batch_machine),
    )


def batch_stack(settings: Settings, live: str) -> tuple[CloudResource, ...]:
    """Return everything that batch classification adds to a deployment.

    Args:
        settings: Which deployment.
        live: The definition that new executions run, as JSON text.

    Raises:
        WorkflowError: ``BatchNeedsWorkflow`` where it calls other functions than this project's.
    """
    arn = settings.batch_machine_arn
    log_group = LogGroup(
        name=_log_group(settings), tags=settings.tags, retention_days=LOG_RETENTION_DAYS
    )
    roles, role = part_role(
        settings,
        "batch",
        policies.trust("states.amazonaws.com", settings, arn, f"{arn}:*", f"{arn}/*"),
        policies.batch_policy(settings),
    )
    machine = StateMachine(
        name=settings.batch_machine,
        tags=settings.tags,
        definition=batch_definition(json.loads(live), settings.bucket),
        role=role,
        log_group=Ref(log_group.key, "arn"),
        log_level="ERROR",
    )
    return (*roles, log_group, machine)


def batch_definition(live: Document, bucket: str) -> dict[str, Any]:
    """Return the definition: one distributed Map for each kind of source.

    Args:
        live: The definition that new executions run.
        bucket: Where results are written.

    Raises:
        WorkflowError: ``BatchNeedsWorkflow``.
    """
    photo = _photo_machine(live)
    choices = [
        {"Condition": f"{{% $states.input.kind = '{kind}' %}}", "Next": kind.title()}
        for kind in Kind
    ]
    return {
        "Comment": "Scones Unlimited: classify a prefix, a manifest or an inventory of photos.",
        "StartAt": "Kind",
        "States": {
            "Kind": {
                "Type": "Choice",
                "QueryLanguage": "JSONata",
                "Choices": choices,
                "Default": "UnknownKind",
            },
            "UnknownKind": {
                "Type": "Fail",
                "Error": "InvalidInput",
                "Cause": f"The input names no kind of source: {', '.join(Kind)}.",
            },
            **{
                kind.title(): _map_state(kind, _rename_states(photo, kind.title()), bucket)
                for kind in Kind
            },
        },
    }


def _map_state(kind: Kind, photo: Document, bucket: str) -> dict[str, Any]:
    reader = {**_OBJECT, **_READERS[kind]}
    return {
        "Type": "Map",
        "QueryLanguage": "JSONata",
        "ItemReader": {**reader, "Resource": f"arn:aws:states:::s3:{reader['Resource']}"},
        "ItemSelector": _SELECTOR,
        "ItemBatcher": {"MaxItemsPerBatch": "{% $states.input.batch_size %}"},
        "MaxConcurrency": "{% $states.input.concurrency %}",
        # A Map Run with a broken endpoint ends early instead of failing for every photo.
        "ToleratedFailurePercentage": "{% $states.input.tolerated_percent %}",
        "ItemProcessor": {
            # Express children: minutes at most, and they cost by request instead of by transition.
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": f"Photos{kind.title()}",
            "States": {
                f"Photos{kind.title()}": {
                    "Type": "Map",
                    "ItemsPath": "$.Items",
                    "MaxConcurrency": PHOTOS_AT_ONCE,
                    "ItemSelector": {
                        "s3_bucket.$": "$$.Map.Item.Value.s3_bucket",
                        "s3_key.$": "$$.Map.Item.Value.s3_key",
                        "image_data": "",
                        "inferences": [],
                        # The endpoint's inference id follows from it: one for each photo.
                        "execution_arn.$": "States.Format('{}#{}', $$.Execution.Id,"
                        " $$.Map.Item.Index)",
                    },
                    "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **photo},
                    "End": True,
                }
            },
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Arguments": {
                "Bucket": bucket,
                "Prefix": f"{{% '{RESULTS_PREFIX}' & $states.context.Execution.Name %}}",
            },
            "WriterConfig": {"OutputType": "JSONL", "Transformation": "FLATTEN"},
        },
        "End": True,
    }


def _rename_states(machine: Document, ending: str) -> dict[str, Any]:
    """Return a machine with other names of its states: no two of a definition may be the same."""
    names = {name: f"{name}{ending}" for name in machine["States"]}

    def renamed(value: object, field: str = "") -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, Mapping):
            return {key: renamed(one, key) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [renamed(one) for one in value]
        # States are named nowhere else: StartAt is handled below, Catch and Choices hold a Next.
        return names[str(value)] if field in ("Next", "Default") else value

    states = {names[name]: renamed(state) for name, state in machine["States"].items()}
    return {"StartAt": names[machine["StartAt"]], "States": states}


def _photo_machine(live: Document) -> dict[str, Any]:
    """Return the machine of one photo: the tasks of the live definition, and its result."""
    states: dict[str, Any] = {}
    for task, following in zip(_TASKS, (*_TASKS[1:], "MeetsThreshold"), strict=True):
        found = live.get("States", {}).get(task)
        if not isinstance(found, Mapping) or found.get("Type") != "Task":
            raise WorkflowError(
                "BatchNeedsWorkflow",
                f"The live definition has no task {task}, which a batch would call.",
                "Apply the deployment of this project first: `python -m deploy apply`.",
            )
        catch = {"ErrorEquals": list(_PHOTO_ERRORS), "ResultPath": "$.error", "Next": "Unreadable"}
        # Retries stay as they are live; only an error of the photo itself becomes a result.
        states[task] = {**found, "Next": following, "Catch": [catch]}
    decided = {field: f"$.{field}" for field in _FIELDS}
    told = {"s3_bucket": "$.s3_bucket", "s3_key": "$.s3_key"}
    told |= {"error": "$.error.Error", "cause": "$.error.Cause"}
    states |= {
        "MeetsThreshold": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.meets_threshold", "BooleanEquals": True, "Next": "Accepted"}
            ],
            "Default": "Rejected",
        },
        "Accepted": _result_state("accepted", decided),
        "Rejected": _result_state("rejected", decided),
        "Unreadable": _result_state("unreadable", told),
    }
    return {"StartAt": _TASKS[0], "States": states}


def _result_state(outcome: str, fields: Mapping[str, str]) -> dict[str, Any]:
    paths = {f"{field}.$": path for field, path in fields.items()}
    return {"Type": "Pass", "Parameters": {"outcome": outcome, **paths}, "End": True}


def _log_group(settings: Settings) -> str:
    return f"/aws/vendedlogs/states/{settings.batch_machine}"
