"""Access: the privileges of people, the lowest role that has each, and the calls it needs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from workflow.errors import WorkflowError


class Role(IntEnum):
    """What a person may do; each role may do what the roles before it may."""

    VIEWER = 0
    REVIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def title(self) -> str:
        """The name in files and on pages, such as ``reviewer``."""
        return self.name.lower()

    @classmethod
    def named(cls, name: object) -> "Role":
        """Return the role of that name.

        Raises:
            WorkflowError: ``RoleUnknown``.
        """
        for role in cls:
            if role.title == name:
                return role
        raise WorkflowError(
            "RoleUnknown",
            f"{name!r} is no role.",
            f"Use one of {', '.join(role.title for role in cls)}.",
        )


class Privilege(StrEnum):
    """Something that a person may do and that changes something."""

    TRIAGE = "triage"
    LABEL = "label"
    WATCH = "watch a workflow"
    EXPORT = "export"
    SUBMIT = "submit"
    BATCH = "run a batch"
    TRAFFIC = "traffic"
    REPAIR = "repair"
    THRESHOLD = "threshold"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    ROLLOUT = "rollout"
    LAB = "use the lab"
    DESTROY = "destroy"


LOWEST: Final[Mapping[Privilege, Role]] = {
    Privilege.TRIAGE: Role.REVIEWER,
    Privilege.LABEL: Role.REVIEWER,
    Privilege.WATCH: Role.REVIEWER,
    Privilege.EXPORT: Role.OPERATOR,
    Privilege.SUBMIT: Role.OPERATOR,
    Privilege.BATCH: Role.OPERATOR,
    Privilege.TRAFFIC: Role.OPERATOR,
    Privilege.REPAIR: Role.OPERATOR,
    Privilege.THRESHOLD: Role.OPERATOR,
    Privilege.DEPLOY: Role.OPERATOR,
    Privilege.ROLLBACK: Role.OPERATOR,
    Privilege.ROLLOUT: Role.OPERATOR,
    Privilege.LAB: Role.OPERATOR,
    Privilege.DESTROY: Role.ADMIN,
}
"""The lowest role that has each privilege."""

Calls = frozenset[str]
"""``service:Operation`` by botocore's names; ``*`` stands for every call."""

ANY_CALL: Final[Calls] = frozenset({"*"})
READS_ONLY: Final[Calls] = frozenset()
OWN_CALLS: Final[Calls] = frozenset(
    {"s3:DeleteObject", "s3:PutObject", "sns:Publish", "sqs:DeleteMessageBatch"}
)
"""Calls that the dashboard's own threads make: they take messages from the queue, send alerts, and
write the notes and repairs that an action has handed to them."""

_WRITES_OBJECTS: Final[Calls] = frozenset({"s3:PutObject"})
CALLS: Final[Mapping[Privilege, Calls]] = {
    Privilege.TRIAGE: _WRITES_OBJECTS,
    Privilege.LABEL: _WRITES_OBJECTS,
    Privilege.WATCH: frozenset({"s3:CreateBucket", "s3:PutObject"}),
    Privilege.EXPORT: frozenset({"s3:PutObject", "sns:Publish"}),
    Privilege.SUBMIT: frozenset({"s3:PutObject", "stepfunctions:StartExecution"}),
    Privilege.BATCH: frozenset(
        {
            "s3:PutObject",
            "stepfunctions:RedriveExecution",
            "stepfunctions:StartExecution",
            "stepfunctions:StopExecution",
            "stepfunctions:UpdateMapRun",
        }
    ),
    Privilege.TRAFFIC: READS_ONLY,
    Privilege.REPAIR: frozenset(
        {
            "s3:PutObject",
            "stepfunctions:RedriveExecution",
            "stepfunctions:StartExecution",
            "stepfunctions:StopExecution",
        }
    ),
    Privilege.THRESHOLD: ANY_CALL,
    Privilege.DEPLOY: ANY_CALL,
    Privilege.ROLLBACK: ANY_CALL,
    Privilege.ROLLOUT: frozenset(
        {
            "sagemaker:CreateEndpointConfig",
            "sagemaker:DeleteEndpointConfig",
            "sagemaker:UpdateEndpoint",
            "sagemaker:UpdateEndpointWeightsAndCapacities",
        }
    ),
    Privilege.LAB: READS_ONLY,
    Privilege.DESTROY: ANY_CALL,
}
"""The calls that change something and that each privilege needs. Traffic makes its calls in a
process of its own, the lab over an interface of the local cloud."""

_READING: Final = re.compile(r"[a-z0-9-]+:(Get|List|Describe|Head|Filter|Simulate|Validate|Test)")
_READING_TOO: Final = frozenset({"athena:StartQueryExecution", "sqs:ReceiveMessage"})
"""A query reads captures. A message that is received, and not deleted, is received again."""


def is_allowed(call: str, calls: Calls) -> bool:
    """Return whether a call only reads, or is one of those.

    Args:
        call: ``service:Operation`` by botocore's names, such as ``stepfunctions:StartExecution``.
        calls: Calls that may change something.
    """
    reads = call in _READING_TOO or _READING.match(call) is not None
    return reads or call in calls or "*" in calls


@dataclass(frozen=True, slots=True)
class Actor:
    """A person at the dashboard.

    Attributes:
        name: The e-mail address, or another name that is the person's alone.
        role: What the person may do.
    """

    name: str
    role: Role

    def may(self, privilege: Privilege) -> bool:
        """Return whether the role includes a privilege."""
        return self.role >= LOWEST[privilege]

    def check(self, privilege: Privilege) -> None:
        """Refuse what the role does not include.

        Raises:
            WorkflowError: ``NotPermitted``.
        """
        if not self.may(privilege):
            raise WorkflowError(
                "NotPermitted",
                f"{self.name} is {self.role.title} here; {privilege.value} needs the role"
                f" {LOWEST[privilege].title}.",
                "Ask an administrator of this dashboard for that role (docs/access.md).",
            )
