"""Steps: what the states of a run share, one state that is being run, and who runs machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from localcloud.states.failure import StateFailure
from localcloud.states.fields import Fields
from localcloud.states.history import Flow
from localcloud.states.map_runs import MapRunKeeper
from localcloud.states.progress import ExecutionProgress
from localcloud.states.services import Services
from localcloud.states.tokens import Tokens

State = Mapping[str, Any]
Machine = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mock:
    """What a state gives instead of being run: a result, or an error and its cause."""

    result: Any = None
    failure: StateFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What every state of a run shares.

    Attributes:
        language: The query language of the definition.
        region: The region of the execution.
        account: Its account.
        machine_name: Name of its state machine.
        role_arn: The role that it runs under.
        services: What its Tasks call.
        tokens: The task tokens that wait.
        map_runs: Who keeps its Map Runs and their children.
        mocks: Results of states by their name, for tests.
        inspected: Where to keep what became of a state's data, by its name; None for nowhere.
    """

    language: str
    region: str
    account: str
    machine_name: str
    role_arn: str
    services: Services
    tokens: Tokens
    map_runs: MapRunKeeper
    mocks: Mapping[str, Mock]
    inspected: dict[str, dict[str, Any]] | None = None


@dataclass(slots=True)
class Step:
    """One state that is being run.

    Attributes:
        name: Its name.
        state: Its definition.
        flow: The flow it is in.
        fields: Its fields, evaluated in its language.
        entered: Id of the event that it was entered with.
        before: How far its inner flows came before a redrive; its first attempt takes it.
    """

    name: str
    state: State
    flow: Flow
    fields: Fields
    entered: int
    before: ExecutionProgress | None = None

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.state["Type"])

    @property
    def goes_on(self) -> bool:
        """Whether it goes on after a redrive, without being entered and started again."""
        return self.before is not None and self.before.entered > 0

    def take_before(self, count: int) -> ExecutionProgress:
        """Return what is left to redo of so many inner flows: all of them, if none failed.

        AWS runs all again where all succeeded and the state failed of their outputs' size.
        """
        # Taken away, so that a retry of this state starts from nothing.
        before, self.before = self.before, None
        return ExecutionProgress() if before is None or len(before.outputs) >= count else before


class RunsMachines(Protocol):
    """The interpreter, as states that hold machines use it."""

    world: World

    def run(
        self,
        machine: Machine,
        flow: Flow,
        data: Any,  # noqa: ANN401 - any JSON value
        before: ExecutionProgress | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON value
        """Run a machine from its start to its end; return its output."""
