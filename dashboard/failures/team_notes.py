"""Notes of a team in its bucket, and those of a reader who may not write there on this machine."""

from dashboard.failures.notes import NoteLog, Notes
from workflow.errors import WorkflowError
from workflow.known_errors import is_denial
from workflow.triage_notes import TriageEvent


class TeamNotes:
    """Notes from both places, taken together.

    Args:
        shared: Notes in the workflow's bucket; None where the workflow has no bucket of notes.
        local: Notes on this machine.

    Attributes:
        refused: Why the bucket took no note the last time; None where it did, or nobody has tried.
    """

    def __init__(self, shared: NoteLog | None, local: NoteLog) -> None:
        self._shared = shared
        self._local = local
        self.refused: WorkflowError | None = None

    @property
    def stay_here(self) -> bool:
        """Whether new notes are seen on this machine only."""
        return self._shared is None or self.refused is not None

    @property
    def reason(self) -> str:
        """Why new notes stay on this machine, in a sentence; empty where they do not."""
        if self._shared is None:
            return "the workflow has no bucket for notes. Name one on the Workflows page."
        return self.refused.message if self.refused else ""

    def append(self, note: TriageEvent) -> None:
        """Write a note into the bucket, or on this machine where the bucket is not to be written.

        Raises:
            WorkflowError: AWS's own code; nothing was written then.
        """
        if self._shared is not None:
            try:
                self._shared.append(note)
            except WorkflowError as error:
                # Only a missing permission keeps notes here: a note must not land where nobody
                # looks because S3 was slow.
                if not is_denial(error.code):
                    raise
                self.refused = error
            else:
                self.refused = None
                return
        self._local.append(note)

    def read(self) -> Notes:
        """Return every note there is.

        Raises:
            WorkflowError: AWS's own code, where listing or reading the bucket is refused.
        """
        self._local.read()
        if self._shared is not None:
            self._shared.read()
        return self.known_notes()

    def known_notes(self) -> Notes:
        """Return every note that was read or written by this process so far; nothing is asked."""
        here = self._local.known_notes()
        there = self._shared.known_notes() if self._shared is not None else Notes()
        return Notes(there.events + here.events, there.problems + here.problems)
