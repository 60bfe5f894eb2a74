"""IAM: roles, each with one inline policy."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deploy import policies
from deploy.cloud import Observed
from deploy.providers.clients import Aws, call_or_none, tag_list, tag_map
from deploy.resources import Document, IamRole

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import ContextEntryTypeDef

POLICY = "permissions"
"""Name of the inline policy of every role."""


class RoleProvider:
    """Reads and writes :class:`IamRole`."""

    def __init__(self, aws: Aws) -> None:
        self._iam = aws.iam

    def read(self, name: str) -> Observed | None:
        """Return who may assume the role and what it may do."""
        answer = call_or_none(lambda: self._iam.get_role(RoleName=name), "NoSuchEntity")
        if answer is None:
            return None
        role = answer["Role"]
        policy = call_or_none(
            lambda: self._iam.get_role_policy(RoleName=name, PolicyName=POLICY), "NoSuchEntity"
        )
        return Observed(
            properties={
                "trust": policies.canonical(_read_document(role["AssumeRolePolicyDocument"])),
                "policy": policies.canonical(_read_document(policy["PolicyDocument"]))
                if policy
                else None,
                "path": role["Path"],
                "boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            },
            outputs={"arn": role["Arn"]},
            tags=tag_map(role.get("Tags", ())),
        )

    def create(self, resource: IamRole) -> Iterator[str]:
        """Create the role with its tags, then its policy."""
        yield "Creating the role"
        bounded: Any = {"PermissionsBoundary": resource.boundary} if resource.boundary else {}
        self._iam.create_role(
            RoleName=resource.name,
            AssumeRolePolicyDocument=json.dumps(resource.trust),
            Description="Made by the deployment of Scones Unlimited",
            Tags=tag_list(resource.tags),
            Path=resource.path,
            **bounded,
        )
        self._put_policy(resource)

    def update(self, resource: IamRole, observed: Observed) -> Iterator[str]:
        """Replace both documents, and the boundary where it is another."""
        yield "Updating trust and permissions"
        self._iam.update_assume_role_policy(
            RoleName=resource.name, PolicyDocument=json.dumps(resource.trust)
        )
        self._put_policy(resource)
        if resource.boundary:
            self._iam.put_role_permissions_boundary(
                RoleName=resource.name, PermissionsBoundary=resource.boundary
            )
        elif observed.properties.get("boundary"):
            self._iam.delete_role_permissions_boundary(RoleName=resource.name)

    def delete(self, name: str) -> Iterator[str]:
        """Delete the policy, then the role."""
        # IAM refuses to delete a role that still has an inline policy (DeleteConflict).
        yield "Deleting the role"
        call_or_none(
            lambda: self._iam.delete_role_policy(RoleName=name, PolicyName=POLICY), "NoSuchEntity"
        )
        call_or_none(lambda: self._iam.delete_role(RoleName=name), "NoSuchEntity")

    def _put_policy(self, role: IamRole) -> None:
        self._iam.put_role_policy(
            RoleName=role.name, PolicyName=POLICY, PolicyDocument=json.dumps(role.policy)
        )


def _read_document(value: Any) -> Document:  # noqa: ANN401 - the stubs say text, botocore gives a dict
    document: Document = json.loads(value) if isinstance(value, str) else value
    return document


def find_denied(aws: Aws, caller: str, needed: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the actions that IAM's simulation does not allow.

    Args:
        aws: Whose account.
        caller: ARN of the caller, as ``sts:GetCallerIdentity`` gives it.
        needed: ARN of a resource to the actions to be allowed on it.
    """
    principal = _find_principal(aws, caller)
    # IAM cannot simulate the root user, who may do everything.
    if principal.endswith(":root"):
        return []
    pages = aws.iam.get_paginator("simulate_principal_policy")
    return [
        result["EvalActionName"]
        for resource, actions in needed.items()
        for page in pages.paginate(
            PolicySourceArn=principal,
            ActionNames=list(actions),
            ResourceArns=[resource],
            ContextEntries=_CONTEXT,
        )
        for result in page["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    ]


_CONTEXT: "list[ContextEntryTypeDef]" = [
    {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyValues": ["lambda.amazonaws.com"],
        "ContextKeyType": "string",
    }
]
"""The condition under which the operator policy allows roles to be passed on."""


def _find_principal(aws: Aws, caller: str) -> str:
    """Return the ARN of the user, or of the role that a session has assumed, with its path."""
    kind, _, rest = caller.partition(":assumed-role/")
    if not rest:
        return caller
    name = rest.partition("/")[0]
    # The ARN of a session leaves out the path of its role; only IAM knows it.
    role = call_or_none(lambda: aws.iam.get_role(RoleName=name), "NoSuchEntity", "AccessDenied")
    account = kind.replace(":sts:", ":iam:")
    return role["Role"]["Arn"] if role else f"{account}:role/{name}"
