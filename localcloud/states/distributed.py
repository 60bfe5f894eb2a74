"""Distributed: a Map whose iterations are the child executions of a Map Run."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.service import now
from localcloud.states.failure import RUNTIME, StateFailure
from localcloud.states.history import AT_ONCE, History, HistoryFull, payload_details
from localcloud.states.items import item_count, make_batches
from localcloud.states.iterations import run_together
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
    limits = _read_limits(iterations, concurrency)
    selected = [iterations.select_input(index) for index in range(count)]
    inputs = make_batches(iterations.step, iterations.given, selected)
    left = iterations.queue_remaining(len(inputs))
    run = _begin_map_run(iterations, limits, len(inputs), count)
    flow = iterations.step.flow
    # The children's events are in histories of their own: this flow continues from its own last
    # one.
    before = flow.previous
    try:
        _run_children(iterations, run, inputs, left)
    except StateFailure as failure:
        flow.previous = before
        written = _write_output(iterations, run, inputs) is not None
        iterations.interpreter.world.map_runs.end_run(run, "FAILED", written=written)
        details = {"error": failure.error, "cause": failure.cause}
        flow.record("MapRunFailed", {"mapRunFailedEventDetails": details})
        raise
    flow.previous = before
    output = _write_output(iterations, run, inputs)
    iterations.interpreter.world.map_runs.end_run(run, "SUCCEEDED", written=output is not None)
    flow.record("MapRunSucceeded")
    return iterations.list_outputs() if output is None else output


def _read_limits(iterations: Iterations, concurrency: int) -> Limits:
    fields, given = iterations.step.fields, iterations.given
    count = fields.read_number("ToleratedFailureCount", given)
    percentage = fields.read_number("ToleratedFailurePercentage", given, whole=False)
    if count is not None and count < 0:
        raise StatesRuntimeError("ToleratedFailureCount cannot be negative.")
    if percentage is not None and not 0 <= percentage <= _PERCENT:
        raise StatesRuntimeError("ToleratedFailurePercentage must be between 0 and 100.")
    return Limits(concurrency, None if count is None else int(count), percentage)


def _begin_map_run(iterations: Iterations, limits: Limits, total: int, items: int) -> MapRun:
    """Record that the Map Run is started, or redriven where there was one."""
    step, world = iterations.step, iterations.interpreter.world
    progress, before = iterations.progress, iterations.before
    label = f"{world.machine_name}/{step.state.get('Label', step.name)}"
    arn = f"arn:aws:states:{world.region}:{world.account}:mapRun:{label}:{uuid.uuid4()}"
    # A redrive continues the Map Run that it finds, under the same ARN.
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
    world.map_runs.begin_run(run)
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
            # The slot first: an index that is taken counts as begun, and past the threshold none
            # may begin.
            with run.wait_for_slot(inner):
                index = None if run.over else iterations.take_index()
                if index is None:
                    return
                items = item_count(step, inputs[index])
                try:
                    _run_child(iterations, run, inner, index, inputs[index])
                except StateFailure as failure:
                    run.count_failures(items)
                    if run.over:
                        text = "The specified tolerated failure threshold was exceeded"
                        raise StateFailure(_EXCEEDED, text) from failure

    flows = [step.flow.inner_flow({}, _placeholder_history()) for _ in range(min(AT_ONCE, left))]
    run_together(step.flow, flows, worker)


def _run_child(iterations: Iterations, run: MapRun, inner: Flow, index: int, data: Any) -> None:  # noqa: ANN401 - any JSON value
    """Run one child execution, with variables, history and context object of its own.

    Raises:
        StateFailure: It failed.
    """
    keeper = iterations.interpreter.world.map_runs
    # The same name for the same index, so that a redrive finds the child of the earlier run.
    name = str(uuid.uuid5(uuid.UUID(run.arn.rpartition(":")[2]), str(index)))
    text = to_json(data)
    child, last, write = keeper.begin_child(run, name, text, item_count(iterations.step, data))
    parent = inner.context["Execution"]
    inner.context["Execution"] = {**parent, "Id": child["arn"], "Name": name, "Input": data}
    inner.variables, inner.previous, inner.history = {}, last, History(write, last)
    if run.express:
        # Express children have no history to continue: a redrive starts them from their first
        # state.
        iterations.before.unfinished.pop(index, None)
    started = {"input": text, "inputDetails": {"truncated": False}, "roleArn": run.role_arn}
    event, told = "ExecutionStarted", {"executionStartedEventDetails": started}
    if last:
        redriven = {"redriveCount": child["redrives"]}
        event, told = "ExecutionRedriven", {"executionRedrivenEventDetails": redriven}
    try:
        inner.record(event, told, advance=False)
        output = to_json(iterations.run_iteration(inner, index, data))
        details = {"executionSucceededEventDetails": payload_details("output", output)}
        inner.record("ExecutionSucceeded", details)
    except (StateFailure, HistoryFull) as raised:
        failure = StateFailure(RUNTIME, str(raised)) if isinstance(raised, HistoryFull) else raised
        outcome = {"error": failure.error, "cause": failure.cause}
        inner.record("ExecutionFailed", {"executionFailedEventDetails": outcome})
        keeper.end_child(_with_outcome(child, "FAILED", outcome))
        raise failure from None
    keeper.end_child(_with_outcome(child, "SUCCEEDED", {"output": output}))
    # Parsed again, because a child shares no object with its parent: on AWS they exchange text.
    iterations.progress.record_output(index, json.loads(output))


def _with_outcome(child: Execution, status: str, outcome: dict[str, Any]) -> Execution:
    known = {key: value for key, value in outcome.items() if value is not None}
    return {**child, "status": status, "stop": now(), "body": {**child["body"], **known}}


def _write_output(iterations: Iterations, run: MapRun, inputs: list[Any]) -> dict[str, Any] | None:
    """Write the results where the state has a place for them; None where it has none."""
    if "Resource" not in iterations.step.state.get("ResultWriter", {}):
        return None
    world, step = iterations.interpreter.world, iterations.step
    pending = [inputs[index] for index in iterations.remaining_indices()]
    return write_results(world, step, iterations.given, run, pending)


def _placeholder_history() -> History:
    """Return the history of a worker before its first child."""
    return History(lambda _event: None)
