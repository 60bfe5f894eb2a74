"""Progress: how far a flow has come, so that a redrive does only what failed again.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html: branches and
iterations that succeeded keep their outputs, the others go on at the state that did not succeed.
Retries count from zero. A Task, Map or Parallel state that goes on is not entered again: an export
of AWS's console shows that what follows has the event that it was entered with before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class ExecutionProgress:
    """Where a flow is: the state under way, and what has become of its inner flows.

    Attributes:
        state: Name of the state; empty before the first.
        input: Its input.
        variables: The variables that it sees.
        entered: Id of the event that it was entered with, where it goes on without entering.
        previous: Id of the event that its next one follows then.
        outputs: Outputs of the branches or iterations that succeeded, by number.
        unfinished: Progress of those that were begun and have not succeeded, by number.
        map_run: ARN of the Map Run, where the state has one.
        redrives: How often that was redriven.
    """

    state: str = ""
    input: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    entered: int = 0
    previous: int = 0
    outputs: dict[int, Any] = field(default_factory=dict)
    unfinished: dict[int, ExecutionProgress] = field(default_factory=dict)
    map_run: str = ""
    redrives: int = 0

    def enter_state(self, state: str, data: Any, variables: dict[str, Any]) -> None:  # noqa: ANN401 - any JSON value
        """Note that a state is entered; nothing has become of its inner flows yet."""
        self.state, self.input, self.variables = state, data, variables
        self.entered, self.previous = 0, 0
        self.outputs, self.unfinished, self.map_run, self.redrives = {}, {}, "", 0

    def begin_inner(self, number: int) -> ExecutionProgress:
        """Return the progress of a branch or iteration that begins."""
        begun = self.unfinished[number] = ExecutionProgress()
        return begun

    def record_output(self, number: int, output: Any) -> None:  # noqa: ANN401 - any JSON value
        """Note the output of a branch or iteration that succeeded."""
        self.outputs[number] = output
        self.unfinished.pop(number, None)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it; other threads may go on meanwhile."""
        return {
            "state": self.state,
            "input": self.input,
            "variables": self.variables,
            "entered": self.entered,
            "previous": self.previous,
            # Copied first: a dictionary that changes while it is iterated raises RuntimeError.
            "outputs": {str(number): one for number, one in self.outputs.copy().items()},
            "unfinished": {str(n): one.as_json() for n, one in self.unfinished.copy().items()},
            "map_run": self.map_run,
            "redrives": self.redrives,
        }


def from_json(given: Mapping[str, Any]) -> ExecutionProgress:
    """Return the progress that was kept as JSON."""
    numbered = {
        # JSON has text keys only.
        "outputs": {int(number): one for number, one in given["outputs"].items()},
        "unfinished": {int(n): from_json(one) for n, one in given["unfinished"].items()},
    }
    return ExecutionProgress(**{**given, **numbered})
