"""WorkflowError: the one error of the project, a sentence for a person and what to do next."""

import json
from collections.abc import Callable


class WorkflowError(Exception):
    """Something went wrong that a person can understand and act on.

    Attributes:
        code: A stable CamelCase name for the kind of problem, such as ``BucketNotFound``; it is
            what tests and callers compare. An AWS error keeps AWS's own code.
        message: One sentence that says what happened, with the names and numbers involved.
        remedy: One sentence that says what to do about it; never empty.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.code = code
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["WorkflowError"], tuple[str, str, str]]:
        return type(self), (self.code, self.message, self.remedy)


def last_error(output: str, otherwise: Callable[[str], WorkflowError]) -> WorkflowError:
    """Return what a program of ours that failed has said, at last.

    Args:
        output: All it wrote; one that fails ends with its error as one line of JSON.
        otherwise: Makes an error of its last line where that is none.
    """
    last = (output.strip().splitlines() or ["It said nothing."])[-1]
    try:
        said = json.loads(last)
        return WorkflowError(said["code"], said["message"], said["remedy"])
    except (ValueError, TypeError, KeyError):
        return otherwise(last)
