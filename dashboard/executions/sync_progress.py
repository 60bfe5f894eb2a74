"""How complete the store of executions is, as of a moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from workflow.errors import WorkflowError


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProgress:
    """How complete the store is, as of a moment.

    Attributes:
        executions: Executions known.
        listed: Whether the listing reaches back to the oldest execution that AWS has.
        histories: Histories read, of ``wanted`` that failed, were rejected or are silently wrong.
        examined: Successes whose output was seen, of ``succeeded``.
        problems: What AWS refused in this pass, by API operation.
        as_of: When the newest executions were listed last.
    """

    executions: int
    listed: bool
    histories: int
    wanted: int
    examined: int
    succeeded: int
    problems: Mapping[str, WorkflowError]
    as_of: datetime
