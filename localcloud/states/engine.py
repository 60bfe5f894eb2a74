"""Engine: runs one execution of a definition and says how it ended."""

import datetime as dt
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.states.failure import RUNTIME, StateFailure
from localcloud.states.history import Event, Flow, History, HistoryFull, Stopped, payload_details
from localcloud.states.interpreter import Interpreter
from localcloud.states.map_runs import MapRunKeeper, UnkeptMapRuns
from localcloud.states.progress import ExecutionProgress
from localcloud.states.services import Services
from localcloud.states.steps import Mock, World
from localcloud.states.tokens import Tokens
from workflow.asl.data import to_json

_log = logging.getLogger(__name__)
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
_EXPRESS_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRequest:
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
        redrives: How often it was redriven.
        before: How far it came before a redrive; None for a new execution.
        map_runs: Who keeps its Map Runs and their children.
        context: What the context object holds otherwise, for tests of a state.
        mocks: Results of states by their name, for tests of a state.
        inspected: Where to keep what became of a state's data, for tests of a state.
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
    redrives: int = 0
    before: ExecutionProgress | None = None
    map_runs: MapRunKeeper = field(default_factory=UnkeptMapRuns)
    context: Mapping[str, Any] = field(default_factory=dict)
    mocks: Mapping[str, Mock] = field(default_factory=dict)
    inspected: dict[str, dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an execution ended: status, and output (JSON) or error and cause."""

    status: str
    stopped: float
    output: str | None = None
    error: str | None = None
    cause: str | None = None


class Run:
    """One run of an execution, in a thread of its own.

    Args:
        job: What to run.
        services: What its Tasks call.
        tokens: Where its Tasks wait for their tokens.
        write: Takes each event of the history.
        ended: Called once, with how the run ended, after the last event was written.
    """

    def __init__(
        self,
        job: ExecutionRequest,
        services: Services,
        tokens: Tokens,
        write: Callable[[Event], None],
        ended: Callable[[Ending], None],
    ) -> None:
        self.job = job
        self._ended = ended
        self._finished = threading.Event()
        self._history = History(write, job.last_event_id)
        self._machine = json.loads(job.definition)
        self._flow = Flow(
            self._history, job.last_event_id, dict(job.variables), _build_context(job)
        )
        _, _, _, region, account, *_ = job.execution_arn.split(":")
        self._interpreter = Interpreter(
            World(
                language=self._machine.get("QueryLanguage", "JSONPath"),
                region=region,
                account=account,
                machine_name=job.machine_name,
                role_arn=job.role_arn,
                services=services,
                tokens=tokens,
                map_runs=job.map_runs,
                mocks=job.mocks,
                inspected=job.inspected,
            )
        )

    def start(self) -> None:
        """Start running; returns at once."""
        threading.Thread(target=self._run_machine, daemon=True, name=self.job.name).start()

    def stop(self, error: str | None, cause: str | None) -> None:
        """Abort the run; a Task that is under way is left to itself."""
        self._end_run("Aborted", error, cause)

    def wait(self, timeout: float) -> bool:
        """Wait for the end; return whether it came in time."""
        return self._finished.wait(timeout)

    @property
    def variables(self) -> dict[str, Any]:
        """The workflow variables as they are now."""
        return dict(self._flow.variables)

    @property
    def progress(self) -> ExecutionProgress:
        """How far it has come."""
        return self._flow.progress

    def _run_machine(self) -> None:
        timer = self._start_timer()
        try:
            event = self.job.first_event
            # The first state's previous event is 0 on AWS, not the id of ExecutionStarted.
            self._flow.record(event["type"], event["details"], advance=False)
            data = json.loads(self.job.input)
            output = self._interpreter.run(self._machine, self._flow, data, self.job.before)
            self._record_success(to_json(output))
        except Stopped:
            pass
        except StateFailure as failure:
            self._end_run("Failed", failure.error, failure.cause)
        except HistoryFull as full:
            self._end_run("Failed", RUNTIME, str(full))
        except Exception:  # noqa: BLE001 - the one edge where a fault of ours becomes an ending
            # Whatever is wrong with the interpreter, the execution ends and its history says so.
            _log.exception("The execution %s met an internal error", self.job.execution_arn)
            cause = "An internal error occurred while running the execution."
            self._end_run("Failed", RUNTIME, cause)
        finally:
            if timer is not None:
                timer.cancel()

    def _start_timer(self) -> threading.Timer | None:
        """Start the timer of TimeoutSeconds, or of the five minutes of an express execution."""
        seconds = self._machine.get("TimeoutSeconds")
        if self.job.machine_type == "EXPRESS":
            seconds = min(seconds or _EXPRESS_SECONDS, _EXPRESS_SECONDS)
        if seconds is None:
            return None
        timer = threading.Timer(seconds, self._end_run, ("TimedOut", None, None))
        timer.daemon = True
        timer.start()
        return timer

    def _record_success(self, output: str) -> None:
        details = {"executionSucceededEventDetails": payload_details("output", output)}
        self._flow.record("ExecutionSucceeded", details)
        self._report_ending(Ending(status="SUCCEEDED", stopped=_now(), output=output))

    def _end_run(self, how: str, error: str | None, cause: str | None) -> None:
        details = {f"execution{how}EventDetails": {"error": error, "cause": cause}}
        # An abort or a timeout comes from outside the flow, so on AWS it follows no event.
        previous = self._flow.previous if how == "Failed" else 0
        try:
            # A stop, the timer and the flow may end the run at the same moment: the history lets
            # only the first of them add its last event.
            self._history.add(f"Execution{how}", details, previous)
        except Stopped:  # it ended otherwise meanwhile
            return
        self._flow.stop()
        status = {"Failed": "FAILED", "Aborted": "ABORTED", "TimedOut": "TIMED_OUT"}[how]
        self._report_ending(Ending(status=status, stopped=_now(), error=error, cause=cause))

    def _report_ending(self, ending: Ending) -> None:
        # In this order: whoever waits for the end then reads the record that the callback saves.
        self._ended(ending)
        self._finished.set()


def _build_context(job: ExecutionRequest) -> dict[str, Any]:
    started = dt.datetime.fromtimestamp(job.started, dt.UTC).isoformat(timespec="milliseconds")
    execution = {
        "Id": job.execution_arn,
        "Input": json.loads(job.input),
        "StartTime": started.replace("+00:00", "Z"),
        "Name": job.name,
        "RoleArn": job.role_arn,
        "RedriveCount": job.redrives,
    }
    machine = {"Id": job.machine_arn, "Name": job.machine_name}
    return {"Execution": execution, "StateMachine": machine, **job.context}


def _now() -> float:
    return round(time.time(), 3)
