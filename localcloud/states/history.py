"""History: the events of one run, numbered and chained as AWS does it, and who may add to them."""

import threading
import time
from collections.abc import Callable
from typing import Any

from localcloud.states.progress import ExecutionProgress

Event = dict[str, Any]

AT_ONCE = 40
"""How many iterations of a Map run at the same time at most: threads of this process."""
_EVENT_LIMIT = 25_000
_FULL = "The execution reached the maximum number of history events (25000)."
_LAST = frozenset(f"Execution{how}" for how in ("Succeeded", "Failed", "Aborted", "TimedOut"))
_ABORTED = {
    "Task": "TaskStateAborted",
    "Wait": "WaitStateAborted",
    "Parallel": "ParallelStateAborted",
    "Map": "MapStateAborted",
}


class Stopped(Exception):  # noqa: N818 - the end of a flow, not an error
    """The flow was stopped: by a sibling that failed, by its state's end or by the execution's."""


class HistoryFull(Exception):  # noqa: N818 - a limit of the service
    """The history has as many events as AWS keeps."""


class History:
    """The events of a run, in the order of their ids.

    Args:
        write: Takes each event as ``GetExecutionHistory`` gives it.
        last_id: Id of the last event already written.
    """

    def __init__(self, write: Callable[[Event], None], last_id: int = 0) -> None:
        # Reentrant, because Flow.record and Flow.stop hold it when they call add. Locks are taken
        # from the outside in: a flow's history, the histories of its inner flows, then the store's.
        self.lock = threading.RLock()
        self.last_id = last_id
        self._write = write
        self._closed = False

    def add(self, kind: str, details: dict[str, Any] | None, previous: int) -> int:
        """Record one event.

        Args:
            kind: Such as ``PassStateEntered``.
            details: Its details by their key; members that are None are left out.
            previous: Id of the event before it in its flow.

        Returns:
            Its id.

        Raises:
            Stopped: The event that ends the execution has been recorded before.
            HistoryFull: Only the event that ends the execution has room.
        """
        with self.lock:
            if self._closed:
                raise Stopped
            ends = kind in _LAST
            # The last of the 25,000 events is reserved for the one that ends the execution.
            if self.last_id >= _EVENT_LIMIT - 1 and not ends:
                raise HistoryFull(
                    "The execution reached the maximum number of history events (25000)."
                )
            self.last_id += 1
            event: Event = {
                "timestamp": round(time.time(), 3),
                "type": kind,
                "id": self.last_id,
                "previousEventId": previous,
            }
            for key, members in (details or {}).items():
                event[key] = {k: v for k, v in members.items() if v is not None}
            self._closed = ends
            self._write(event)
            return self.last_id


class Flow:
    """One line of states under way: the execution itself, a branch, or an iteration.

    Args:
        history: Where its events go.
        previous: Id of the event that its first one follows.
        variables: What its states can see and assign; an inner flow's own are lost with it.
        context: What its context object holds beside the execution's: the item of a Map.
        parent: The flow that it runs in.

    Attributes:
        running: Type of the state under way.
        iteration: Details of its MapIteration events, where it is one.
        progress: How far it has come.
    """

    def __init__(
        self,
        history: History,
        previous: int,
        variables: dict[str, Any],
        context: dict[str, Any],
        parent: "Flow | None" = None,
    ) -> None:
        self.history = history
        self.previous = previous
        self.variables = variables
        self.context = context
        self.running = ""
        self.iteration: dict[str, Any] | None = None
        self.progress = ExecutionProgress()
        self._stopped = threading.Event()
        self._inner: set[Flow] = set()
        self._parent = parent
        if parent is not None:
            with parent.history.lock:
                # A flow that begins while its parent is being stopped must not outlive it.
                if parent.stopped:
                    self._stopped.set()
                parent._inner.add(self)  # noqa: SLF001 - flows are one family

    @property
    def stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped.is_set()

    def record(
        self, kind: str, details: dict[str, Any] | None = None, *, advance: bool = True
    ) -> int:
        """Record an event of this flow; the next one follows it, unless ``advance`` is false.

        Raises:
            Stopped: The flow was stopped.
            HistoryFull: The history has no room.
        """
        with self.history.lock:
            if self.stopped:
                raise Stopped
            added = self.history.add(kind, details, self.previous)
            if advance:
                self.previous = added
            return added

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            Stopped: The flow was stopped meanwhile.
        """
        if self._stopped.wait(max(0.0, seconds)):
            raise Stopped

    def inner_flow(
        self, context: dict[str, Any] | None = None, history: History | None = None
    ) -> "Flow":
        """Return a flow within this one, with variables of its own over these."""
        kept = {**self.context, **(context or {})}
        previous = self.previous if history is None else 0
        return Flow(history or self.history, previous, dict(self.variables), kept, self)

    def leave_parent(self) -> None:
        """Leave the flow that it runs in."""
        if self._parent is not None:
            with self._parent.history.lock:
                self._parent._inner.discard(self)  # noqa: SLF001 - flows are one family

    def stop(self, *, told: bool = False) -> None:
        """Stop it and what runs in it; nothing more of it is recorded.

        Args:
            told: Whether to record that its states were aborted.
        """
        with self.history.lock:
            if self.stopped:
                return
            for flow in list(self._inner):
                flow.stop(told=told)
            if told and self.running in _ABORTED:
                self.record(_ABORTED[self.running])
            if told and self.iteration is not None:
                details = {"mapIterationAbortedEventDetails": self.iteration}
                self.record("MapIterationAborted", details)
            self._stopped.set()


def payload_details(key: str, text: str) -> dict[str, Any]:
    """Return a payload of JSON text as events hold it: ``input`` and ``inputDetails``."""
    return {key: text, f"{key}Details": {"truncated": False}}
