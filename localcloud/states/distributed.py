"""Distributed: a Map whose iterations are the child executions of a Map Run."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.service import now
from localcloud.states.failure import RUNTIME, StateFailure
from localcloud.states.history import AT_ONCE, History, HistoryFull, payload
from localcloud.states.items import batched, item_count
from localcloud.states.iterations import together
from localcloud.states.map_runs import Limits, MapRun
from localcloud.states.result_writer import write_results
from workflow.asl.data import to_json
from workflow.asl.failures import StatesRuntimeError

if TYPE_CHECKING:
    from localcloud.states.executions import Execution
    from localcloud.states.history import Flow
    from localcloud.states.iterations import Iterations

_PERCENT = 100
_EXCEEDED = "States.ExceedToleratedFailureThreshold"


def run_distributed(iterations: Iterations, concurrency: int, count: int) -> Any:  # noqa: ANN401
    """Run iterations as child executions, whose events are their own.

    Args:
        iterations: Those of the Map.
        concurrency: How many may run at once; 0 for as many as there can be.
        count: How many items there are.

    Returns:
        The outputs of those that succeeded, or where a ResultWriter wrote them.

    Raises:
        StateFailure: More failed than is tolerated, or the results cannot be written.
    """
    limits = _limits(iterations, concurrency)
    selected = [iterations.selected(index) for index in range(count)]
    inputs = batched(iterations.step, iterations.given, selected)
    left = iterations.left(len(inputs))
    run = _begin(iterations, limits, len(inputs), count)
    flow = iterations.step.flow
    before = flow.previous
    try:
        _run_children(iterations, run, inputs, left)
    except StateFailure as failure:
        flow.previous = before
        written = _write(iterations, run, inputs) is not None
        iterations.interpreter.world.map_runs.end(run, "FAILED", written=written)
        details = {"error": failure.error, "cause": failure.cause}
        flow.record("MapRunFailed", {"mapRunFailedEventDetails": details})
        raise
    flow.previous = before
    output = _write(iterations, run, inputs)
    iterations.interpreter.world.map_runs.end(run, "SUCCEEDED", written=output is not None)
    flow.record("MapRunSucceeded")
    return iterations.outputs() if output is None else output


def _limits(iterations: Iterations, concurrency: int) -> Limits:
    fields, given = iterations.step.fields, iterations.given
    count = fields.number("ToleratedFailureCount", given)
    percentage = fields.number("ToleratedFailurePercentage", given, whole=False)
    if count is not None and count < 0:
        raise StatesRuntimeError("ToleratedFailureCount cannot be negative.")
    if percentage is not None and not 0 <= percentage <= _PERCENT:
        raise StatesRuntimeError("ToleratedFailurePercentage must be between 0 and 100.")
    return Limits(concurrency, None if count is None else int(count), percentage)


def _begin(iterations: Iterations, limits: Limits, total: int, items: int) -> MapRun:
    """Record that the Map Run is started, or redriven where there was one."""
    step, world = iterations.step, iterations.interpreter.world
    progress, before = iterations.progress, iterations.before
    label = f"{world.machine_name}/{step.state.get('Label', step.name)}"
    arn = f"arn:aws:states:{world.region}:{world.account}:mapRun:{label}:{uuid.uuid4()}"
    progress.map_run = before.map_run or arn
    progress.redrives = before.redrives + 1 if before.map_run else 0
    config = iterations.processor["ProcessorConfig"]
    run = MapRun(
        arn=progress.map_run,
        execution_arn=step.flow.context["Execution"]["Id"],
        label=label,
        express=config.get("ExecutionType") == "EXPRESS",
        processor=iterations.processor,
        role_arn=world.role_arn,
        total=total,
        items=items,
        redrives=progress.redrives,
        limits=limits,
    )
    world.map_runs.begin(run)
    details: dict[str, Any] = {"mapRunArn": run.arn}
    if not before.map_run:
        step.flow.record("MapRunStarted", {"mapRunStartedEventDetails": details})
    else:
        details["redriveCount"] = run.redrives
        step.flow.record("MapRunRedriven", {"mapRunRedrivenEventDetails": details})
    return run


def _run_children(iterations: Iterations, run: MapRun, inputs: list[Any], left: int) -> None:
    step = iterations.step

    def worker(_number: int, inner: Flow) -> None:
        while True:
            with run.slot(inner):
                index = None if run.over else iterations.take()
                if index is None:
                    return
                items = item_count(step, inputs[index])
                try:
                    _child(iterations, run, inner, index, inputs[index])
                except StateFailure as failure:
                    run.fail(items)
                    if run.over:
                        text = "The specified tolerated failure threshold was exceeded"
                        raise StateFailure(_EXCEEDED, text) from failure

    flows = [step.flow.inner({}, _unwritten()) for _ in range(min(AT_ONCE, left))]
    together(step.flow, flows, worker)


def _child(iterations: Iterations, run: MapRun, inner: Flow, index: int, data: Any) -> None:  # noqa: ANN401 - any JSON value
    """Run one child execution, with variables, history and context object of its own.

    Raises:
        StateFailure: It failed.
    """
    keeper = iterations.interpreter.world.map_runs
    name = str(uuid.uuid5(uuid.UUID(run.arn.rpartition(":")[2]), str(index)))
    text = to_json(data)
    child, last, write = keeper.child(run, name, text, item_count(iterations.step, data))
    parent = inner.context["Execution"]
    inner.context["Execution"] = {**parent, "Id": child["arn"], "Name": name, "Input": data}
    inner.variables, inner.previous, inner.history = {}, last, History(write, last)
    if run.express:
        iterations.before.unfinished.pop(index, None)
    started = {"input": text, "inputDetails": {"truncated": False}, "roleArn": run.role_arn}
    event, told = "ExecutionStarted", {"executionStartedEventDetails": started}
    if last:
        redriven = {"redriveCount": child["redrives"]}
        event, told = "ExecutionRedriven", {"executionRedrivenEventDetails": redriven}
    try:
        inner.record(event, told, advance=False)
        output = to_json(iterations.run(inner, index, data))
        details = {"executionSucceededEventDetails": payload("output", output)}
        inner.record("ExecutionSucceeded", details)
    except (StateFailure, HistoryFull) as raised:
        failure = StateFailure(RUNTIME, str(raised)) if isinstance(raised, HistoryFull) else raised
        outcome = {"error": failure.error, "cause": failure.cause}
        inner.record("ExecutionFailed", {"executionFailedEventDetails": outcome})
        keeper.end_child(_ended(child, "FAILED", outcome))
        raise failure from None
    keeper.end_child(_ended(child, "SUCCEEDED", {"output": output}))
    iterations.progress.succeed(index, json.loads(output))


def _ended(child: Execution, status: str, outcome: dict[str, Any]) -> Execution:
    known = {key: value for key, value in outcome.items() if value is not None}
    return {**child, "status": status, "stop": now(), "body": {**child["body"], **known}}


def _write(iterations: Iterations, run: MapRun, inputs: list[Any]) -> dict[str, Any] | None:
    """Write the results where the state has a place for them; None where it has none."""
    if "Resource" not in iterations.step.state.get("ResultWriter", {}):
        return None
    world, step = iterations.interpreter.world, iterations.step
    pending = [inputs[index] for index in iterations.remaining()]
    return write_results(world, step, iterations.given, run, pending)


def _unwritten() -> History:
    """Return the history of a worker before its first child."""
    return History(lambda _event: None)
