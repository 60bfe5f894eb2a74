"""Concurrency: how many executions may run at once before Lambda throttles them.

Source: Lambda API reference, GetAccountSettings; Lambda Developer Guide, "Understanding Lambda
function scaling".
"""

from typing import TYPE_CHECKING, Final

from dashboard.aws.errors import explained
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

NEW_ACCOUNT: Final = 10
"""The concurrency of new accounts, taken where the account's own is not told."""
MOST: Final = 100
"""Enough for any quota of starts; more at once would only make a run harder to stop."""


def read_repairs_at_once(client: "LambdaClient") -> int:
    """Return how many executions a repair may have under way; at least one.

    An execution invokes one function at a time. Half of what no function has reserved is left for
    what is submitted meanwhile.

    Raises:
        WorkflowError: AWS's own code.
    """
    with explained("lambda:GetAccountSettings"):
        limit = client.get_account_settings()["AccountLimit"]
    return half_of(int(limit.get("UnreservedConcurrentExecutions", NEW_ACCOUNT)))


def repairs_at_once(client: "LambdaClient") -> int:
    """Return the same, but for a new account where it cannot be read."""
    try:
        return read_repairs_at_once(client)
    except WorkflowError:
        return half_of(NEW_ACCOUNT)


def half_of(free: int) -> int:
    """Return how many executions may be under way of so many; at least one."""
    return max(1, min(free // 2, MOST))
