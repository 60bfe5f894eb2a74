"""Tokens: Tasks that wait for SendTaskSuccess, SendTaskFailure or their time."""

import threading
import time
import uuid
from dataclasses import dataclass, field

from localcloud.states.failure import TIMEOUT, StateFailure
from localcloud.states.history import Flow

_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class _Waiting:
    changed: threading.Condition = field(default_factory=threading.Condition)
    output: str | None = None
    failure: StateFailure | None = None
    heartbeat: float = 0.0


class Tokens:
    """The task tokens of all executions."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    def create_token(self) -> str:
        """Return a new token, valid until ``wait`` is done with it."""
        token = str(uuid.uuid4())
        self._waiting[token] = _Waiting()
        return token

    def forget(self, token: str) -> None:
        """Invalidate a token."""
        self._waiting.pop(token, None)

    def succeed(self, token: str, output: str) -> bool:
        """Give a Task its output as JSON text; False where no Task waits for that token."""
        return self._update_task(token, output=output)

    def fail(self, token: str, error: str | None, cause: str | None) -> bool:
        """Give a Task its error; False where no Task waits for that token."""
        return self._update_task(token, failure=StateFailure(error, cause))

    def record_heartbeat(self, token: str) -> bool:
        """Tell that a Task is still being worked on; False where none waits for that token."""
        return self._update_task(token)

    def _update_task(
        self, token: str, *, output: str | None = None, failure: StateFailure | None = None
    ) -> bool:
        waiting = self._waiting.get(token)
        if waiting is None:
            return False
        with waiting.changed:
            waiting.output, waiting.failure = output, failure
            waiting.heartbeat = time.monotonic()
            waiting.changed.notify_all()
        return True

    def wait(self, token: str, flow: Flow, seconds: float | None, heartbeat: float | None) -> str:
        """Wait for a Task's output.

        Args:
            token: Its token.
            flow: The flow that waits.
            seconds: How long at most; None for as long as it takes.
            heartbeat: How long at most between two heartbeats; None for no limit.

        Raises:
            Failure: The error that was given, ``States.Timeout`` or ``States.HeartbeatTimeout``.
            Stopped: The flow was stopped.
        """
        waiting = self._waiting[token]
        started = time.monotonic()
        with waiting.changed:
            # A heartbeat may have come before this thread began to wait.
            waiting.heartbeat = waiting.heartbeat or started
            while waiting.output is None and waiting.failure is None:
                now = time.monotonic()
                if seconds is not None and now - started >= seconds:
                    raise StateFailure(TIMEOUT)
                if heartbeat is not None and now - waiting.heartbeat >= heartbeat:
                    raise StateFailure("States.HeartbeatTimeout")
                # Raises Stopped; a stop does not notify this condition, so the waits are short.
                flow.sleep(0)
                limits = [_LOOK_SECONDS]
                if seconds is not None:
                    limits.append(started + seconds - now)
                if heartbeat is not None:
                    limits.append(waiting.heartbeat + heartbeat - now)
                waiting.changed.wait(min(limits))
        if waiting.failure is not None:
            raise waiting.failure
        return str(waiting.output)
