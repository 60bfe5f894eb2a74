"""The registry of watched workflows: what is known of each, in a file beside the stores.

A workflow is described once, by discovery or by a person, and is then known to every session of
this machine. The file holds names and settings only; nothing of it is secret.
"""

import os
import threading
from pathlib import Path

import msgspec

from workflow.errors import WorkflowError
from workflow.watched import WatchedWorkflow


class WorkflowRegistry:
    """The workflows that are watched beside the deployed one, in the order in which they came.

    Args:
        path: The file; made when the first workflow is saved.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: int | None = None
        self._known: dict[str, WatchedWorkflow] = {}

    def all(self) -> tuple[WatchedWorkflow, ...]:
        """Return every workflow.

        Raises:
            WorkflowError: ``RegistryDamaged``.
        """
        with self._lock:
            self._load()
            return tuple(self._known.values())

    def find(self, reference: str) -> WatchedWorkflow | None:
        """Return the workflow of a reference, None where it is not known.

        Raises:
            WorkflowError: ``RegistryDamaged``.
        """
        with self._lock:
            self._load()
            return self._known.get(reference)

    def save(self, workflow: WatchedWorkflow) -> None:
        """Add a workflow, or replace what is known of it.

        Raises:
            WorkflowError: ``RegistryDamaged``.
        """
        with self._lock:
            self._load()
            self._write({**self._known, workflow.reference: workflow})

    def remove(self, reference: str) -> None:
        """Forget a workflow; its stores stay.

        Raises:
            WorkflowError: ``RegistryDamaged``.
        """
        with self._lock:
            self._load()
            self._write({name: one for name, one in self._known.items() if name != reference})

    def _load(self) -> None:
        """Read the file where another process has written it since."""
        try:
            stamp = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            self._known, self._stamp = {}, None
            return
        if stamp == self._stamp:
            return
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=list[WatchedWorkflow])
        except msgspec.MsgspecError as error:
            raise WorkflowError(
                "RegistryDamaged",
                f"The list of watched workflows, {self._path.name}, cannot be read: {error}.",
                f"Delete {self._path}; workflows are found again when you connect them.",
            ) from None
        self._known, self._stamp = {one.reference: one for one in found}, stamp

    def _write(self, known: dict[str, WatchedWorkflow]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_bytes(msgspec.json.encode(list(known.values())))
        unfinished.replace(self._path)
        self._known, self._stamp = known, self._path.stat().st_mtime_ns
