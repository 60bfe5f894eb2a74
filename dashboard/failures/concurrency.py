"""Concurrency: how many executions may run at once before Lambda throttles them.

Source: Lambda API reference, GetAccountSettings; Lambda Developer Guide, "Understanding Lambda
function scaling".
"""

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

NEW_ACCOUNT: Final = 10
"""The concurrency of new accounts, taken where the account's own is not told."""
MOST: Final = 100
"""Enough for any quota of starts; more at once would only make a run harder to stop."""


def repairs_at_once(client: "LambdaClient") -> int:
    """Return how many executions a repair may have under way; at least one.

    An execution invokes one function at a time. Half of what no function has reserved is left for
    what is submitted meanwhile. Who may not ask is taken for a new account.
    """
    try:
        limit = client.get_account_settings()["AccountLimit"]
        free = int(limit.get("UnreservedConcurrentExecutions", NEW_ACCOUNT))
    except (BotoCoreError, ClientError):
        free = NEW_ACCOUNT
    return max(1, min(free // 2, MOST))
