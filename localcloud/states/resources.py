"""Resources: what the Resource of a Task names, and which of it this cloud can call."""

import re
from dataclasses import dataclass

from localcloud.states.services import client_name, operation_name
from localcloud.wire import operation_names

_FUNCTION = re.compile(r"arn:aws[\w-]*:lambda:[^:]*:\d*:function:.+")
_SERVICE = re.compile(
    r"arn:aws[\w-]*:states:[^:]*:[^:]*:(?P<sdk>aws-sdk:)?(?P<service>[\w-]+):(?P<action>\w+)"
    r"(?:\.(?P<pattern>sync:2|sync|waitForTaskToken))?"
)
# The optimized integrations that work here, by the patterns beside request and response.
_OPTIMIZED = {
    ("lambda", "invoke"): ("waitForTaskToken",),
    ("sqs", "sendMessage"): ("waitForTaskToken",),
    ("sns", "publish"): ("waitForTaskToken",),
    ("events", "putEvents"): ("waitForTaskToken",),
    ("states", "startExecution"): ("sync", "sync:2", "waitForTaskToken"),
    **{("dynamodb", f"{verb}Item"): () for verb in ("get", "put", "delete", "update")},
}
_SDK = ("s3", "lambda", "sagemakerruntime", "sqs", "sns", "dynamodb", "sfn", "events", "sts")


@dataclass(frozen=True, slots=True)
class TaskResource:
    """What a Task calls.

    Attributes:
        service: Such as ``lambda``, as the ARN names it.
        action: Such as ``invoke``.
        pattern: ``sync``, ``sync:2``, ``waitForTaskToken`` or nothing.
        sdk: Whether it is an AWS SDK integration.
        function: The ARN of a function that is named directly.
    """

    service: str
    action: str
    pattern: str = ""
    sdk: bool = False
    function: str | None = None

    @property
    def type(self) -> str:
        """``resourceType`` in the history."""
        return f"aws-sdk:{self.service}" if self.sdk else self.service

    @property
    def name(self) -> str:
        """``resource`` in the history."""
        return f"{self.action}.{self.pattern}" if self.pattern else self.action


def read_resource(arn: str) -> TaskResource | None:
    """Return what an ARN names; None where this cloud cannot call it."""
    if _FUNCTION.fullmatch(arn):
        return TaskResource("lambda", "invoke", function=arn)
    match = _SERVICE.fullmatch(arn)
    if match is None:
        return None
    service, action, pattern = match["service"], match["action"], match["pattern"] or ""
    if match["sdk"]:
        known = service in _SDK and pattern in ("", "waitForTaskToken")
        known = known and operation_name(action) in operation_names(client_name(service))
    else:
        patterns = _OPTIMIZED.get((service, action))
        known = patterns is not None and (not pattern or pattern in patterns)
    return TaskResource(service, action, pattern, bool(match["sdk"])) if known else None
