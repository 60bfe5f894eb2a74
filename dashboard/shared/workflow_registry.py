"""The registry of watched workflows: what is known of each, in a file beside the stores.

A workflow is described once, by discovery or by a person, and is then known to every session of
this machine. The file holds names and settings only; nothing of it is secret.
"""

import os
import threading
from pathlib import Path

import msgspec

from dashboard.shared.segments import flush
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
        self._problem: WorkflowError | None = None

    def all(self) -> tuple[WatchedWorkflow, ...]:
        """Return every workflow; none while the file is damaged, as ``problem`` says."""
        with self._lock:
            self._load()
            return tuple(self._known.values())

    def find(self, reference: str) -> WatchedWorkflow | None:
        """Return the workflow of a reference, None where it is not known."""
        with self._lock:
            self._load()
            return self._known.get(reference)

    @property
    def problem(self) -> WorkflowError | None:
        """Why the file cannot be read, None where it can: ``RegistryDamaged``."""
        with self._lock:
            self._load()
            return self._problem

    def save(self, workflow: WatchedWorkflow) -> None:
        """Add a workflow, or replace what is known of it.

        Raises:
            WorkflowError: ``RegistryDamaged``, ``RegistryUnwritable``; nothing was changed then.
        """
        with self._lock:
            self._refuse_damaged()
            self._write({**self._known, workflow.reference: workflow})

    def remove(self, reference: str) -> None:
        """Forget a workflow; its stores stay.

        Raises:
            WorkflowError: ``RegistryDamaged``, ``RegistryUnwritable``; nothing was changed then.
        """
        with self._lock:
            self._refuse_damaged()
            self._write({name: one for name, one in self._known.items() if name != reference})

    def _refuse_damaged(self) -> None:
        """Refuse to replace a damaged file: it may be the only description of its workflows."""
        self._load()
        if self._problem is not None:
            raise self._problem

    def _load(self) -> None:
        """Read the file where another process has written it since."""
        self._problem = None
        try:
            # Other processes write the file too: whoever asks reads what they have added.
            stamp = self._path.stat().st_mtime_ns
            if stamp == self._stamp:
                return
            found = msgspec.json.decode(
                self._path.read_bytes().decode(), type=list[WatchedWorkflow]
            )
        except FileNotFoundError:
            self._known, self._stamp = {}, None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._known, self._stamp = {}, None
            self._problem = WorkflowError(
                "RegistryDamaged",
                f"The list of watched workflows, {self._path.name}, cannot be read: {error}.",
                f"Mend {self._path}, or move it away; workflows are found again when you connect "
                "them.",
            )
        else:
            self._known, self._stamp = {one.reference: one for one in found}, stamp

    def _write(self, known: dict[str, WatchedWorkflow]) -> None:
        # A name for each process: two that write at once must not write into one file.
        unfinished = self._path.with_suffix(f".{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(msgspec.json.encode(list(known.values())))
            flush(unfinished)
            unfinished.replace(self._path)
            flush(self._path.parent)
        except OSError as error:
            raise WorkflowError(
                "RegistryUnwritable",
                f"{self._path} cannot be written: {error.strerror or error}.",
                "Free space there, or make the folder writable, and do it again.",
            ) from error
        self._known, self._stamp = known, self._path.stat().st_mtime_ns
