"""Fan-out: the branches of a Parallel state and the iterations of a Map, at the same time."""

from __future__ import annotations

import queue
import threading
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.states.failure import RUNTIME, StateFailure
from localcloud.states.history import Flow, History, HistoryFull
from localcloud.states.items import batched, read_items
from localcloud.states.progress import ExecutionProgress
from workflow.asl import queries, templates
from workflow.asl.data import Scope, to_json
from workflow.asl.failures import LanguageError, QueryError, StatesRuntimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from localcloud.states.steps import Machine, RunsMachines, Step

_INLINE_AT_ONCE = 40
_PERCENT = 100


def run_branches(interpreter: RunsMachines, step: Step, data: Any) -> list[Any]:  # noqa: ANN401
    """The outputs of all branches of a Parallel state; a redrive runs those that did not succeed.

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
        inner.progress = progress.begin(number)
        earlier = before.unfinished.get(number)
        progress.succeed(number, interpreter.run(branches[number], inner, data, earlier))

    _together(flow, [flow.inner() for _ in left], branch)
    flow.record("ParallelStateSucceeded", advance=False)
    return [progress.outputs[number] for number in range(len(branches))]


def run_map(interpreter: RunsMachines, step: Step, given: Any) -> list[Any]:  # noqa: ANN401
    """The outputs of all iterations of a Map state; a redrive runs those that did not succeed.

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
    at_once = step.fields.number("MaxConcurrency", given)
    if at_once is not None and at_once < 0:
        raise StatesRuntimeError("MaxConcurrency cannot be negative.")
    reads = "ItemReader" in state
    items = read_items(interpreter.world, step, given) if reads else _items(step, given)
    if not step.goes_on:
        started = None if reads else {"mapStateStartedEventDetails": {"length": len(items)}}
        flow.progress.previous = flow.record("MapStateStarted", started)
    work = _Map(interpreter, step, processor, given, items)
    most = min(int(at_once or _INLINE_AT_ONCE), _INLINE_AT_ONCE)
    if processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
        outputs = work.distributed(most)
    else:
        outputs = work.inline(most)
    flow.record("MapStateSucceeded", advance=False)
    return outputs


class _Map:
    """The iterations of one Map state.

    Args:
        interpreter: Runs them.
        step: The Map state.
        processor: Their machine.
        given: The Map's input after InputPath.
        items: What it iterates over.
    """

    def __init__(
        self,
        interpreter: RunsMachines,
        step: Step,
        processor: Machine,
        given: Any,  # noqa: ANN401 - any JSON value
        items: Sequence[Any],
    ) -> None:
        self._interpreter = interpreter
        self._step = step
        self._processor = processor
        self._given = given
        self._items = items
        self._progress = step.flow.progress
        self._before = ExecutionProgress()
        self._indices: Iterator[int] = iter(())
        self._lock = threading.Lock()

    def inline(self, most: int) -> list[Any]:
        """Run them in the execution itself, up to ``most`` at once."""
        flow = self._step.flow
        left = self._left(len(self._items))
        _together(flow, [flow.inner() for _ in range(min(most, left))], self._iterations)
        return self._all_outputs()

    def distributed(self, most: int) -> list[Any]:
        """Run them as child executions, whose events are their own."""
        step, world = self._step, self._interpreter.world
        tolerated = self._tolerated()
        label = f"{world.machine_name}/{step.state.get('Label', step.name)}"
        inputs = batched(step, self._given, [self._selected(n) for n in range(len(self._items))])
        left = self._left(len(inputs))
        self._begin_run(f"arn:aws:states:{world.region}:{world.account}:mapRun:{label}")
        failed: set[int] = set()

        def children(_number: int, inner: Flow) -> None:
            while (index := self._index()) is not None:
                try:
                    self._progress.succeed(index, self._child(inner, label, index, inputs[index]))
                except StateFailure as failure:
                    failed.add(index)
                    if not tolerated(len(failed), len(inputs)):
                        raise StateFailure(
                            "States.ExceedToleratedFailureThreshold",
                            "The specified tolerated failure threshold was exceeded",
                        ) from failure

        flows = [step.flow.inner({}, _unseen()) for _ in range(min(most, left))]
        before = step.flow.previous
        try:
            _together(step.flow, flows, children)
        except StateFailure as failure:
            step.flow.previous = before
            details = {"error": failure.error, "cause": failure.cause}
            step.flow.record("MapRunFailed", {"mapRunFailedEventDetails": details})
            raise
        step.flow.previous = before
        step.flow.record("MapRunSucceeded")
        return self._all_outputs()

    def _left(self, count: int) -> int:
        """Return how many of so many iterations are to run: in a redrive, those without output."""
        self._before = self._step.take_before(count)
        self._progress.outputs = dict(self._before.outputs)
        left = [index for index in range(count) if index not in self._before.outputs]
        self._indices = iter(left)
        return len(left)

    def _all_outputs(self) -> list[Any]:
        return [output for _, output in sorted(self._progress.outputs.items())]

    def _begin_run(self, arn: str) -> None:
        """Record that the Map Run is started, or redriven where there was one."""
        progress, before = self._progress, self._before
        progress.map_run = before.map_run or f"{arn}:{uuid.uuid4()}"
        details: dict[str, Any] = {"mapRunArn": progress.map_run}
        if not before.map_run:
            self._step.flow.record("MapRunStarted", {"mapRunStartedEventDetails": details})
            return
        progress.redrives = before.redrives + 1
        details["redriveCount"] = progress.redrives
        self._step.flow.record("MapRunRedriven", {"mapRunRedrivenEventDetails": details})

    def _index(self) -> int | None:
        with self._lock:
            return next(self._indices, None)

    def _iterations(self, _number: int, inner: Flow) -> None:
        """One worker: iteration after iteration, as long as there are any."""
        ended = inner.previous
        while (index := self._index()) is not None:
            details = {"name": self._step.name, "index": index}
            inner.record("MapIterationStarted", {"mapIterationStartedEventDetails": details})
            inner.iteration = details
            inner.context["Map"] = self._context(index)
            before = dict(inner.variables)
            try:
                output = self._run(inner, index, self._selected(index))
                self._progress.succeed(index, output)
            except (StateFailure, LanguageError):
                inner.iteration = None
                key = "mapIterationFailedEventDetails"
                inner.record("MapIterationFailed", {key: details}, advance=False)
                raise
            inner.iteration, inner.variables = None, before
            key = "mapIterationSucceededEventDetails"
            ended = inner.record("MapIterationSucceeded", {key: details}, advance=False)
        inner.previous = ended

    def _run(self, inner: Flow, index: int, data: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return the output of an iteration, which goes on where it was before a redrive."""
        inner.progress = self._progress.begin(index)
        return self._interpreter.run(
            self._processor, inner, data, self._before.unfinished.get(index)
        )

    def _child(self, inner: Flow, label: str, index: int, data: Any) -> Any:  # noqa: ANN401 - any JSON value
        """One child execution: variables and context object of its own."""
        world, name = self._interpreter.world, str(uuid.uuid4())
        arn = f"arn:aws:states:{world.region}:{world.account}:execution:{label}:{name}"
        parent = inner.context["Execution"]
        inner.context["Execution"] = {**parent, "Id": arn, "Name": name, "Input": data}
        inner.variables, inner.previous, inner.history = {}, 0, _unseen()
        try:
            return self._run(inner, index, data)
        except HistoryFull as full:
            raise StateFailure(RUNTIME, str(full)) from None

    def _context(self, index: int) -> dict[str, Any]:
        return {"Item": {"Index": index, "Value": self._items[index]}}

    def _selected(self, index: int) -> Any:  # noqa: ANN401 - any JSON value
        """Return what an iteration gets: its item, or what ItemSelector makes of it."""
        state, fields = self._step.state, self._step.fields
        selector = state.get("ItemSelector", state.get("Parameters"))
        if selector is None:
            return self._items[index]
        context = {**fields.context, "Map": self._context(index)}
        scope = Scope(self._given, context, fields.variables)
        if fields.jsonata:
            return templates.query(selector, scope, "ItemSelector")
        return templates.fill(selector, scope)

    def _tolerated(self) -> Callable[[int, int], bool]:
        """Return whether so many failures of so many iterations are tolerated."""
        fields, given = self._step.fields, self._given
        count = fields.number("ToleratedFailureCount", given)
        percentage = fields.number("ToleratedFailurePercentage", given, whole=False)
        if count is not None and count < 0:
            raise StatesRuntimeError("ToleratedFailureCount cannot be negative.")
        if percentage is not None and not 0 <= percentage <= _PERCENT:
            raise StatesRuntimeError("ToleratedFailurePercentage must be between 0 and 100.")
        most = 0 if count is None and percentage is None else count
        share = _PERCENT if percentage is None else percentage

        def tolerated(failed: int, total: int) -> bool:
            return (most is None or failed <= most) and failed * _PERCENT <= share * total

        return tolerated


def _unseen() -> History:
    """Return a history that nobody reads: child executions have none here."""
    return History(lambda _event: None)


def _items(step: Step, given: Any) -> Sequence[Any]:  # noqa: ANN401 - any JSON value
    """Return the array that a Map iterates over."""
    state, fields = step.state, step.fields
    if not fields.jsonata:
        path = state.get("ItemsPath", "$")
        found = templates.value_of(path, fields.scope(given), "ItemsPath")
        if not isinstance(found, list):
            raise StatesRuntimeError(f'Reference path "{path}" must point to array.')
        return found
    if "Items" not in state:
        if not isinstance(given, list):
            detail = f"Map state input must be an array but was: {to_json(given)}"
            raise QueryError(detail, "Items")
        return given
    text = queries.expression(state["Items"])
    found = templates.query(state["Items"], fields.scope(given), "Items")
    items: list[Any] = queries.expect(found, "array", text or to_json(state["Items"]), "Items")
    return items


def _together(flow: Flow, flows: Sequence[Flow], work: Callable[[int, Flow], None]) -> None:
    """Run flows at the same time and wait for all; the first that fails stops the others.

    The flow that they run in goes on from the last event of theirs.
    """
    done: queue.Queue[tuple[Flow, Exception | None]] = queue.Queue()

    def job(number: int, inner: Flow) -> None:
        raised: Exception | None = None
        try:
            work(number, inner)
        except Exception as error:  # noqa: BLE001 - whatever it is, the flow outside raises it
            raised = error
        done.put((inner, raised))

    for number, inner in enumerate(flows):
        if len(flows) == 1:
            job(number, inner)
        else:
            threading.Thread(target=job, args=(number, inner), daemon=True).start()
    for _ in flows:
        inner, raised = done.get()
        inner.end()
        if raised is not None:
            for other in flows:
                if other is not inner:
                    other.stop(told=True)
                    other.end()
            flow.previous = inner.previous
            raise raised
    if flows:
        flow.previous = max(inner.previous for inner in flows)
