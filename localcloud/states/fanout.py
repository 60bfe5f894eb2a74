"""Fan-out: the branches of a Parallel state and the iterations of a Map, at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.states.distributed import run_distributed
from localcloud.states.failure import StateFailure
from localcloud.states.history import AT_ONCE
from localcloud.states.items import read_items
from localcloud.states.iterations import Iterations, run_together
from workflow.asl import queries, templates
from workflow.asl.data import to_json
from workflow.asl.failures import LanguageError, QueryError, StatesRuntimeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.states.history import Flow
    from localcloud.states.steps import Machine, RunsMachines, Step


def run_branches(interpreter: RunsMachines, step: Step, data: Any) -> list[Any]:  # noqa: ANN401
    """Return the outputs of a Parallel's branches; a redrive runs those that did not succeed.

    Raises:
        Failure: That of the first branch that failed; the others are aborted.
    """
    flow = step.flow
    if not step.goes_on:
        flow.record("ParallelStateStarted", advance=False)
    branches: Sequence[Machine] = step.state["Branches"]
    before, progress = step.take_before(len(branches)), flow.progress
    progress.outputs = dict(before.outputs)
    left = [number for number in range(len(branches)) if number not in before.outputs]

    def branch(index: int, inner: Flow) -> None:
        number = left[index]
        inner.progress = progress.begin_inner(number)
        earlier = before.unfinished.get(number)
        progress.record_output(number, interpreter.run(branches[number], inner, data, earlier))

    run_together(flow, [flow.inner_flow() for _ in left], branch)
    flow.record("ParallelStateSucceeded", advance=False)
    return [progress.outputs[number] for number in range(len(branches))]


def run_map(interpreter: RunsMachines, step: Step, given: Any) -> Any:  # noqa: ANN401
    """Return the outputs of a Map's iterations; a redrive runs those that did not succeed.

    A ResultWriter replaces them by where it wrote them.

    Args:
        interpreter: Runs the iterations.
        step: The Map state.
        given: Its input after InputPath.

    Raises:
        Failure: That of the first iteration that failed, or of too many in a distributed Map.
        LanguageError: A field of the Map itself cannot be evaluated.
    """
    state, flow = step.state, step.flow
    processor = state.get("ItemProcessor") or state["Iterator"]
    at_once = step.fields.read_number("MaxConcurrency", given)
    if at_once is not None and at_once < 0:
        raise StatesRuntimeError("MaxConcurrency cannot be negative.")
    reads = "ItemReader" in state
    items = read_items(interpreter.world, step, given) if reads else _find_items(step, given)
    if not step.goes_on:
        started = None if reads else {"mapStateStartedEventDetails": {"length": len(items)}}
        flow.progress.previous = flow.record("MapStateStarted", started)
    iterations = Iterations(interpreter, step, processor, given, items)
    if processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
        output = run_distributed(iterations, int(at_once or 0), len(items))
    else:
        # 0 is no limit of the definition's, but inline Maps never run more than 40 iterations at
        # once: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
        output = _run_inline(iterations, min(int(at_once or AT_ONCE), AT_ONCE), len(items))
    flow.record("MapStateSucceeded", advance=False)
    return output


def _run_inline(iterations: Iterations, most: int, count: int) -> list[Any]:
    """Run iterations in the execution itself, up to ``most`` at once."""
    flow = iterations.step.flow
    left = iterations.queue_remaining(count)

    def worker(_number: int, inner: Flow) -> None:
        ended = inner.previous
        while (index := iterations.take_index()) is not None:
            ended = _run_iteration(iterations, inner, index)
        inner.previous = ended

    run_together(flow, [flow.inner_flow() for _ in range(min(most, left))], worker)
    return iterations.list_outputs()


def _run_iteration(iterations: Iterations, inner: Flow, index: int) -> int:
    """Run one iteration; return the id of its last event."""
    details = {"name": iterations.step.name, "index": index}
    inner.record("MapIterationStarted", {"mapIterationStartedEventDetails": details})
    inner.iteration = details
    inner.context["Map"] = iterations.map_context(index)
    # One worker runs many iterations, and none may see the variables of another.
    before = dict(inner.variables)
    try:
        output = iterations.run_iteration(inner, index, iterations.select_input(index))
        iterations.progress.record_output(index, output)
    except (StateFailure, LanguageError):
        # Before the event: the stop of a sibling would record this iteration as aborted as well.
        inner.iteration = None
        key = "mapIterationFailedEventDetails"
        inner.record("MapIterationFailed", {key: details}, advance=False)
        raise
    inner.iteration, inner.variables = None, before
    key = "mapIterationSucceededEventDetails"
    return inner.record("MapIterationSucceeded", {key: details}, advance=False)


def _find_items(step: Step, given: Any) -> Sequence[Any]:  # noqa: ANN401 - any JSON value
    """Return the array that a Map iterates over."""
    state, fields = step.state, step.fields
    if not fields.jsonata:
        path = state.get("ItemsPath", "$")
        found = templates.value_of(path, fields.build_scope(given), "ItemsPath")
        if not isinstance(found, list):
            raise StatesRuntimeError(f'Reference path "{path}" must point to array.')
        return found
    if "Items" not in state:
        if not isinstance(given, list):
            detail = f"Map state input must be an array but was: {to_json(given)}"
            raise QueryError(detail, "Items")
        return given
    text = queries.expression_of(state["Items"])
    found = templates.evaluate_template(state["Items"], fields.build_scope(given), "Items")
    items: list[Any] = queries.expect_type(found, "array", text or to_json(state["Items"]), "Items")
    return items
