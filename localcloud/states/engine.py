"""Engine: runs one execution of a definition and records its history as it happens."""

import datetime as dt
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.states import fixes  # noqa: F401 - must precede the engine's modules

# isort: split
from moto.stepfunctions.parser.api import HistoryEventType, StateMachineType
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import (
    EventHistoryContext,
    EventManager,
)
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramEnded,
    ProgramError,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.asl.eval.states import (
    ContextObjectData,
    ExecutionData,
    StateMachineData,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.utils import TMP_THREADS

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an execution runs.

    Attributes:
        execution_arn: Its ARN.
        name: Its name.
        machine_arn: ARN of the state machine, without version.
        machine_name: Name of the state machine.
        machine_type: ``STANDARD`` or ``EXPRESS``.
        role_arn: The role it runs under.
        definition: The definition, frozen when the execution started.
        input: The input as JSON.
        started: When it started, seconds since 1970.
        first_event: The event that opens this run: ExecutionStarted or ExecutionRedriven.
        last_event_id: Id of the last event already in its history; 0 for a new execution.
        variables: Workflow variables to start with, for a redrive.
    """

    execution_arn: str
    name: str
    machine_arn: str
    machine_name: str
    machine_type: str
    role_arn: str
    definition: str
    input: str
    started: float
    first_event: Event
    last_event_id: int
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an execution ended: status, and output (JSON) or error and cause."""

    status: str
    stopped: float
    output: str | None = None
    error: str | None = None
    cause: str | None = None


class Recorder(EventManager):
    """The engine's event manager, writing each event where it lasts instead of keeping it.

    Args:
        write: Takes an event as ``GetExecutionHistory`` gives it.
        last_id: Id of the last event already written.
    """

    def __init__(self, write: Callable[[Event], None], last_id: int) -> None:
        super().__init__()
        self._write = write
        self._last_id = last_id
        self._closed = False

    def add_event(
        self,
        context: EventHistoryContext,
        event_type: HistoryEventType,
        event_details: Mapping[str, Any] | None = None,
        timestamp: dt.datetime | None = None,
        update_source_event_id: bool = True,  # noqa: FBT001, FBT002 - the engine's signature
    ) -> int:
        """Record one event; once the history is closed, events of stragglers are dropped."""
        with self._mutex:
            if self._closed:
                return self._last_id
            self._last_id += 1
            event = {
                "timestamp": timestamp.timestamp() if timestamp else round(time.time(), 3),
                "type": str(event_type.value),
                "id": self._last_id,
                "previousEventId": context.source_event_id,
            }
            for key, details in (event_details or {}).items():
                event[key] = {k: v for k, v in details.items() if v is not None}
            context.last_published_event_id = self._last_id
            if update_source_event_id:
                context.source_event_id = self._last_id
            self._closed = event["type"] in _LAST
            self._write(event)
            return self._last_id

    @property
    def closed(self) -> bool:
        """Whether the event that ends the execution has been recorded."""
        return self._closed


_LAST = frozenset(f"Execution{how}" for how in ("Succeeded", "Failed", "Aborted", "TimedOut"))


class _Programs:
    """Parsed definitions for reuse; one is used by one run at a time, as runs leave marks in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[str, list[Any]] = defaultdict(list)

    def borrow(self, definition: str) -> Any:  # noqa: ANN401 - the engine has no types
        with self._lock:
            if self._free[definition]:
                return self._free[definition].pop()
        return AmazonStateLanguageParser.parse(definition)[0]

    def give_back(self, definition: str, program: Any) -> None:  # noqa: ANN401
        with self._lock:
            self._free[definition].append(program)


_programs = _Programs()


class Run:
    """One run of an execution, in a thread of its own.

    Args:
        job: What to run.
        write: Takes each event of the history.
        ended: Called once, with how the run ended, after the last event was written.
    """

    def __init__(
        self, job: Job, write: Callable[[Event], None], ended: Callable[[Ending], None]
    ) -> None:
        self.job = job
        self._recorder = Recorder(write, job.last_event_id)
        self._ended = ended
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self.env = self._environment()

    def start(self) -> None:
        """Start running; returns at once."""
        TMP_THREADS.clear()  # the engine keeps every thread it ever made otherwise
        threading.Thread(target=self._run, daemon=True, name=self.job.name).start()

    def stop(self, error: str | None, cause: str | None) -> None:
        """Abort the run; a Task that is under way is left to itself."""
        details = {"error": error, "cause": cause}
        self.env.set_stop(stop_date=dt.datetime.now(dt.UTC), cause=cause, error=error)
        self._last_event(HistoryEventType.ExecutionAborted, "executionAborted", details)
        self._finish(Ending(status="ABORTED", stopped=_now(), error=error, cause=cause))

    def wait(self, timeout: float) -> bool:
        """Wait for the end; gives whether it came in time."""
        return self._finished.wait(timeout)

    @property
    def variables(self) -> dict[str, Any]:
        """The workflow variables as they are now."""
        return dict(self.env.variable_store._inner_scope)  # noqa: SLF001 - no public view

    def _environment(self) -> Environment:
        job = self.job
        started = dt.datetime.fromtimestamp(job.started, dt.UTC)
        _, _, _, region, account, *_ = job.execution_arn.split(":")
        env = Environment(
            aws_execution_details=AWSExecutionDetails(
                account=account, region=region, role_arn=job.role_arn
            ),
            execution_type=StateMachineType(job.machine_type),
            context=ContextObjectData(  # type: ignore[typeddict-item]
                Execution=ExecutionData(
                    Id=job.execution_arn,
                    Input=json.loads(job.input),
                    Name=job.name,
                    RoleArn=job.role_arn,
                    StartTime=_iso(started),
                ),
                StateMachine=StateMachineData(Id=job.machine_arn, Name=job.machine_name),
            ),
            event_history_context=EventHistoryContext(job.last_event_id),
            cloud_watch_logging_session=None,
            activity_store={},
        )
        env.event_manager = self._recorder
        env.variable_store._inner_scope.update(job.variables)  # noqa: SLF001 - no public way in
        return env

    def _run(self) -> None:
        program = _programs.borrow(self.job.definition)
        event = self.job.first_event
        ((key, details),) = event["details"].items()
        self._recorder.add_event(
            self.env.event_history_context,
            HistoryEventType(event["type"]),
            {key: details},
            update_source_event_id=False,
        )
        program.eval(self.env)
        state = self.env.program_state()
        if isinstance(state, ProgramTimedOut):
            self._last_event(HistoryEventType.ExecutionTimedOut, "executionTimedOut", {})
        else:
            _programs.give_back(self.job.definition, program)
        ending = _ending(self.env, state)
        if ending is not None:
            self._finish(ending)

    def _last_event(self, kind: HistoryEventType, name: str, details: dict[str, Any]) -> None:
        self._recorder.add_event(EventHistoryContext(0), kind, {f"{name}EventDetails": details})

    def _finish(self, ending: Ending) -> None:
        with self._lock:
            if self._finished.is_set():
                return
            self._finished.set()
        self._ended(ending)


def _ending(env: Environment, state: object) -> Ending | None:
    """How the engine says that it ended; None for a run that ``stop`` has ended."""
    stopped = _now()
    if isinstance(state, ProgramEnded):
        output = json.dumps(env.states.get_input(), separators=(",", ":"), default=str)
        return Ending(status="SUCCEEDED", stopped=stopped, output=output)
    if isinstance(state, ProgramError):
        error = state.error or {}
        return Ending(
            status="FAILED", stopped=stopped, error=error.get("error"), cause=error.get("cause")
        )
    if isinstance(state, ProgramTimedOut):
        return Ending(status="TIMED_OUT", stopped=stopped)
    return None


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _now() -> float:
    return round(time.time(), 3)
