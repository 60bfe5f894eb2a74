"""The first few executions of a repair in bulk: the others follow unless one has failed again."""

from collections.abc import Iterable

from workflow.causes import is_rejection
from workflow.errors import WorkflowError
from workflow.executions import Execution, Status


def check_canary(ended: Iterable[Execution]) -> None:
    """Raise where an execution that was tried first has failed again; a rejection is an answer.

    Raises:
        WorkflowError: ``CanaryFailed``.
    """
    failed = [one for one in ended if one.status is not Status.SUCCEEDED and not _is_rejected(one)]
    if failed:
        raise WorkflowError(
            "CanaryFailed",
            f"{len(failed)} of the first few failed again, such as {failed[0].name}. The"
            " others were not started.",
            "Find the reason, correct it, and start another repair.",
        )


def _is_rejected(execution: Execution) -> bool:
    return is_rejection(execution.error, execution.cause)
