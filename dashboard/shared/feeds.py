"""Running feeds: one for each watched workflow, whatever the number of sessions that look at it."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from dashboard.aws.cloud import Cloud, Connection

if TYPE_CHECKING:
    from workflow.watched import WatchedWorkflow


class Closable(Protocol):
    """A feed whose thread can be ended."""

    def close(self) -> None:
        """End the thread; another feed may take over its store."""


F = TypeVar("F", bound=Closable)


class Feeds(Generic[F]):
    """The feeds of one kind in this process.

    Args:
        make: Makes the feed of a connection.
    """

    def __init__(self, make: Callable[[Connection], F]) -> None:
        self._make = make
        self._known: dict[tuple[Cloud, str], tuple[WatchedWorkflow, F]] = {}
        self._lock = threading.Lock()

    def get_feed(self, connection: Connection, *, as_known: bool = False) -> F:
        """Return the feed of the watched workflow; a new one once that is read otherwise.

        Args:
            connection: The cloud, and the workflow.
            as_known: Whether one that reads the workflow otherwise will do. A thread that keeps its
                connection must not replace what a page reads by a newer one.
        """
        watched = connection.watched
        key = (connection.cloud, watched.reference)
        # Under the lock until the feed is made: two sessions must not make two of one workflow,
        # whose threads would compete for the store.
        with self._lock:
            known = self._known.get(key)
            if known is not None and (as_known or known[0] == watched):
                return known[1]
            if known is not None:
                # Its thread ends after what it is doing; the claim on the store keeps both from
                # writing.
                known[1].close()
            feed = self._make(connection)
            self._known[key] = (watched, feed)
            return feed

    def close(self) -> None:
        """End the threads of all feeds."""
        with self._lock:
            for _, feed in self._known.values():
                feed.close()
