"""Iterations: those of one Map state, which of them are left, and flows that run together."""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from localcloud.states.progress import ExecutionProgress
from workflow.asl import templates
from workflow.asl.data import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.states.history import Flow
    from localcloud.states.steps import Machine, RunsMachines, Step


class Iterations:
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
        self.interpreter = interpreter
        self.step = step
        self.given = given
        self.processor = processor
        self.progress = step.flow.progress
        self.before = ExecutionProgress()
        self._items = items
        # popleft is atomic, so the workers need no lock to share it.
        self._indices: deque[int] = deque()

    def queue_remaining(self, count: int) -> int:
        """Return how many of so many iterations are to run: in a redrive, those without output."""
        self.before = self.step.take_before(count)
        self.progress.outputs = dict(self.before.outputs)
        self._indices.extend(i for i in range(count) if i not in self.before.outputs)
        return len(self._indices)

    def list_outputs(self) -> list[Any]:
        """Return the outputs of those that succeeded, in order of the items."""
        return [output for _, output in sorted(self.progress.outputs.items())]

    def take_index(self) -> int | None:
        """Return the index of the next one to run; None where there is none left."""
        try:
            return self._indices.popleft()
        except IndexError:
            return None

    def remaining_indices(self) -> list[int]:
        """Return the indices of those that have not begun."""
        return list(self._indices)

    def run_iteration(self, inner: Flow, index: int, data: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return the output of an iteration, which goes on where it was before a redrive."""
        inner.progress = self.progress.begin_inner(index)
        before = self.before.unfinished.get(index)
        return self.interpreter.run(self.processor, inner, data, before)

    def map_context(self, index: int) -> dict[str, Any]:
        """Return what the context object holds of an iteration as ``Map``."""
        return {"Item": {"Index": index, "Value": self._items[index]}}

    def select_input(self, index: int) -> Any:  # noqa: ANN401 - any JSON value
        """Return what an iteration gets: its item, or what ItemSelector makes of it."""
        state, fields = self.step.state, self.step.fields
        selector = state.get("ItemSelector", state.get("Parameters"))
        if selector is None:
            return self._items[index]
        context = {**fields.context, "Map": self.map_context(index)}
        scope = Scope(self.given, context, fields.variables)
        if fields.jsonata:
            return templates.evaluate_template(selector, scope, "ItemSelector")
        return templates.fill_template(selector, scope)


def run_together(flow: Flow, flows: Sequence[Flow], work: Callable[[int, Flow], None]) -> None:
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
        # A single flow runs in this thread: starting one costs more than most iterations do.
        if len(flows) == 1:
            job(number, inner)
        else:
            threading.Thread(target=job, args=(number, inner), daemon=True).start()
    for _ in flows:
        # In the order in which they end, so that the first failure stops the others at once.
        inner, raised = done.get()
        inner.leave_parent()
        if raised is not None:
            for other in flows:
                if other is not inner:
                    other.stop(told=True)
                    other.leave_parent()
            flow.previous = inner.previous
            raise raised
    if flows:
        flow.previous = max(inner.previous for inner in flows)
