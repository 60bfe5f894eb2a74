"""Permissions: what a role's policies allow, for the roles of functions and state machines.

Callers from outside may do everything. A function's calls are signed with the access key of its
role (``credentials.Credentials.of_role``); they are checked for reading and writing objects and for
invoking endpoints. A state machine's role is checked for invoking functions. Policies are read by
moto.
"""

from functools import lru_cache
from typing import Any

from moto.backends import get_backend
from moto.iam.access_control import IAMPolicy, PermissionResult

from localcloud.credentials import role_of
from localcloud.errors import AwsError

_SESSION = "local"


class Permissions:
    """The policies of the account's roles.

    Args:
        account: The account.

    Attributes:
        denied: Roles and actions that are denied whatever the policies allow.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self.denied: set[tuple[str, str]] = set()

    def has_role(self, role: str) -> bool:
        """Return whether IAM has a role of that name."""
        return role in self._list_roles()

    def is_allowed(self, role: str, action: str, resource: str) -> bool:
        """Return whether a role's policies allow an action on a resource."""
        given = self._list_roles().get(role)
        if given is None or (role, action) in self.denied:
            return False
        documents = [*given.policies.values(), *given.managed_policies.values()]
        results = [
            _parse_policy(document).is_action_permitted(action, resource) for document in documents
        ]
        # A denial wins over any permission.
        return PermissionResult.DENIED not in results and PermissionResult.PERMITTED in results

    def denial_message(self, role: str, session: str, action: str, resource: str) -> str:
        """Return the sentence with which AWS refuses."""
        user = f"arn:aws:sts::{self._account}:assumed-role/{role}/{session}"
        return (
            f"User: {user} is not authorized to perform: {action} on resource: {resource} "
            f"because no identity-based policy allows the {action} action"
        )

    def require_allowed(
        self, access_key_id: str, action: str, resource: str, *, code: str, status: int
    ) -> None:
        """Refuse what the role behind an access key may not do.

        Raises:
            AwsError: Of the code and status that the service refuses with.
        """
        role = role_of(access_key_id)
        if role is None or self.is_allowed(role, action, resource):
            return
        raise AwsError(code, self.denial_message(role, _SESSION, action, resource), status)

    def _list_roles(self) -> dict[str, Any]:
        roles = get_backend("iam")[self._account]["aws"].roles
        return {role.name: role for role in roles.values()}


@lru_cache(maxsize=256)
def _parse_policy(document: object) -> Any:  # noqa: ANN401 - moto has no types
    return IAMPolicy(document)
