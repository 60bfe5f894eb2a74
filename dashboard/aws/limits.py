"""Limits: a boto3 session that makes calls which read, and those that an action needs.

Every call is checked at the client, where it would be sent: a button that is drawn by mistake, or
code that forgets to ask, changes nothing.
"""

from typing import Any

import boto3
from botocore.model import OperationModel

from workflow.access import Calls, is_allowed
from workflow.errors import WorkflowError


class LimitedSession(boto3.Session):
    """A session like another, whose clients refuse what changes something and is not allowed.

    Args:
        session: Whose credentials, region and configuration it has.
        calls: What may change something, such as ``s3:PutObject``.
    """

    def __init__(self, session: boto3.Session, calls: Calls) -> None:
        vars(self).update(vars(session))  # boto3 registers its handlers once for botocore's session
        self._calls = calls

    def client(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as boto3's own
        """Return a client of a service, which refuses with ``NotPermitted``."""
        client = super().client(*args, **kwargs)
        # Before parameters are even validated: nothing of the call is sent.
        client.meta.events.register("provide-client-params", self._check_call)
        return client

    def _check_call(self, model: OperationModel, **_: object) -> None:
        call = f"{model.service_model.service_name}:{model.name}"
        if not is_allowed(call, self._calls):
            raise WorkflowError(
                "NotPermitted",
                f"{call} changes something, and no action allows it here.",
                "If you pressed a button, this is a defect of this project: report it.",
            )
