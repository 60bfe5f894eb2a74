"""Pool: warm Lambda execution environments, capped, one invocation at a time in each."""

import shutil
import threading
from collections import Counter

from localcloud.environment import Deployed, Environment, InvocationOutcome, Site


class Pool:
    """Runs invocations in warm child processes.

    A further invocation waits for an environment of its function rather than start one more: a
    start costs as much as dozens of warm invocations.

    Args:
        site: Where environments live; what an earlier process left there is removed.
        each: How many environments a revision of a function may have at once.
        limit: How many environments may live at once.
    """

    def __init__(self, site: Site, *, each: int = 4, limit: int = 12) -> None:
        self._site = site
        self._each = each
        self._limit = limit
        self._idle: list[Environment] = []
        self._living: Counter[str] = Counter()
        self._changed = threading.Condition()
        shutil.rmtree(site.folder, ignore_errors=True)

    def invoke(self, deployed: Deployed, event: bytes, request_id: str) -> InvocationOutcome:
        """Run one invocation to its end; a timeout or an exit is an outcome, not an exception."""
        environment = self._acquire_environment(deployed)
        try:
            return environment.invoke(event, request_id)
        except BaseException:
            # Whatever it was, half an answer may be left in its pipe.
            environment.reusable = False
            raise
        finally:
            self._release_environment(environment)

    def retire_revision(self, revision: str) -> None:
        """End the idle environments of a revision that is no longer in use."""
        with self._changed:
            doomed = [e for e in self._idle if e.deployed.revision == revision]
            self._idle = [e for e in self._idle if e not in doomed]
            self._living[revision] -= len(doomed)
            self._changed.notify_all()
        for environment in doomed:
            environment.close()

    def close(self) -> None:
        """End every idle environment."""
        with self._changed:
            doomed, self._idle = self._idle, []
        for environment in doomed:
            environment.close()

    def _acquire_environment(self, deployed: Deployed) -> Environment:
        revision = deployed.revision
        evicted: Environment | None = None
        with self._changed:
            while True:
                for environment in reversed(self._idle):
                    if environment.deployed.revision == revision:
                        self._idle.remove(environment)
                        return environment
                if self._living[revision] < self._each:
                    if self._living.total() < self._limit:
                        break
                    if self._idle:
                        evicted = self._idle.pop(0)
                        self._living[evicted.deployed.revision] -= 1
                        break
                self._changed.wait()
            # Counted before it is made: the start takes long, and others must see the limit
            # meanwhile.
            self._living[revision] += 1
        if evicted is not None:
            # Outside the lock, because ending a process takes a while.
            evicted.close()
        try:
            return Environment(deployed, self._site)
        except BaseException:
            self._forget_environment(revision)
            raise

    def _release_environment(self, environment: Environment) -> None:
        if not environment.reusable:
            environment.close()
            self._forget_environment(environment.deployed.revision)
            return
        with self._changed:
            self._idle.append(environment)
            self._changed.notify_all()

    def _forget_environment(self, revision: str) -> None:
        with self._changed:
            self._living[revision] -= 1
            self._changed.notify_all()
