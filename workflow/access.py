"""Access: the privileges of people, and the lowest role that has each."""

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


@dataclass(frozen=True, slots=True)
class Actor:
    """A person at the dashboard.

    Attributes:
        name: The e-mail address, or another name that is the person's alone.
        role: What the person may do.
    """

    name: str
    role: Role

    def check(self, privilege: Privilege) -> None:
        """Refuse what the role does not include.

        Raises:
            WorkflowError: ``NotPermitted``.
        """
        lowest = LOWEST[privilege]
        if self.role < lowest:
            raise WorkflowError(
                "NotPermitted",
                f"{self.name} is {self.role.title} here; {privilege.value} needs the role"
                f" {lowest.title}.",
                "Ask an administrator of this dashboard for that role (docs/access.md).",
            )
