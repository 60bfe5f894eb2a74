"""Organisation: what a company prescribes for everything that is created in its account."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from workflow.errors import WorkflowError

ROLES = frozenset({"serialize", "classify", "filter", "states", "sagemaker", "batch"})
"""Parts of a deployment that have a role each."""

_RULES = {
    "SCONES_ROLES": (re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+"), "the ARN of an IAM role"),
    "SCONES_ROLE_PATH": (re.compile(r"/|/[!-~]{1,510}/"), "a path such as /teams/vans/"),
    "SCONES_PERMISSIONS_BOUNDARY": (
        re.compile(r"arn:[\w-]+:iam::(\d{12}|aws):policy/\S+"),
        "the ARN of an IAM policy",
    ),
    "SCONES_TAGS": (re.compile(r"[^,=]{1,128}=[^,=]{0,256}"), "a tag, as name=value"),
    "SCONES_KMS_KEY": (re.compile(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/\S+"), "the ARN of a KMS key"),
    "SCONES_SUBNETS": (re.compile(r"subnet-[0-9a-f]{8,17}"), "the id of a subnet"),
    "SCONES_SECURITY_GROUPS": (re.compile(r"sg-[0-9a-f]{8,17}"), "the id of a security group"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Prescriptions; nothing is prescribed by default.

    Attributes:
        roles: ARN of an existing role by the part that uses it; those are not created.
        role_path: Path of the roles that are created, from slash to slash.
        permissions_boundary: ARN of the policy that bounds the roles that are created, or None.
        tags: Tags that everything gets at its creation, beside those of the deployment.
        kms_key: ARN of the key that encrypts the bucket and all that lies in it, or None.
        subnets: Subnets of the functions and the endpoint; none: they are in no VPC.
        security_groups: Security groups of the same.
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    role_path: str = "/"
    permissions_boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; lists are separated by commas.

        Raises:
            WorkflowError: ``SettingInvalid`` where a variable has a value that cannot be used.
        """
        roles = dict(_read_pairs(environ, "SCONES_ROLES"))
        if unknown := roles.keys() - ROLES:
            raise _invalid_setting(
                "SCONES_ROLES", ", ".join(unknown), f"one of {', '.join(sorted(ROLES))}"
            )
        for arn in roles.values():
            _check_value("SCONES_ROLES", arn)
        for tag in _read_list(environ, "SCONES_TAGS"):
            _check_value("SCONES_TAGS", tag)
        subnets, groups = (
            tuple(_check_value(name, one) for one in _read_list(environ, name))
            for name in ("SCONES_SUBNETS", "SCONES_SECURITY_GROUPS")
        )
        if bool(subnets) != bool(groups):
            raise WorkflowError(
                "SettingInvalid",
                "Subnets and security groups belong together, but only one of the two is given.",
                "Set both SCONES_SUBNETS and SCONES_SECURITY_GROUPS, or neither.",
            )
        return cls(
            roles=roles,
            role_path=_read_checked(environ, "SCONES_ROLE_PATH") or "/",
            permissions_boundary=_read_checked(environ, "SCONES_PERMISSIONS_BOUNDARY"),
            tags=dict(_read_pairs(environ, "SCONES_TAGS")),
            kms_key=_read_checked(environ, "SCONES_KMS_KEY"),
            subnets=tuple(sorted(subnets)),
            security_groups=tuple(sorted(groups)),
        )


def _read_list(environ: Mapping[str, str], name: str) -> list[str]:
    return [one.strip() for one in environ.get(name, "").split(",") if one.strip()]


def _read_pairs(environ: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    for one in _read_list(environ, name):
        key, equals, value = one.partition("=")
        if not equals:
            raise _invalid_setting(name, one, "name=value")
        yield key.strip(), value.strip()


def _read_checked(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name)
    return _check_value(name, value) if value else None


def _check_value(name: str, value: str) -> str:
    pattern, meant = _RULES[name]
    if not pattern.fullmatch(value):
        raise _invalid_setting(name, value, meant)
    return value


def _invalid_setting(name: str, value: str, meant: str) -> WorkflowError:
    return WorkflowError(
        "SettingInvalid", f"{name} has {value!r}, which is not {meant}.", f"Correct {name}."
    )
