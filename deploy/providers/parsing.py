"""Parsing: what answers in AWS's place, or was cut short, is a named error instead of no data."""

from collections.abc import Mapping
from typing import Any

from boto3 import Session
from botocore.exceptions import BotoCoreError
from botocore.response import StreamingBody

from workflow.aws_answers import FIRST_REDIRECT, answer_problem


class AnswerMalformed(BotoCoreError):  # noqa: N818 - its name is the code that people see
    """The answer is not of the form that AWS documents."""

    fmt = "{reason}"


def check_answers(session: Session) -> Session:
    """Have the clients of a session raise ``AnswerMalformed`` for whatever AWS does not answer."""
    session.events.register("before-parse", _check, unique_id="check-answers")
    return session


def _check(operation_model: Any, response_dict: Mapping[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore has no types
    body, shape = response_dict["body"], operation_model.output_shape
    if response_dict["status_code"] >= FIRST_REDIRECT:
        return
    # None for a call that answers nothing: a proxy may have answered in the place of AWS.
    members = {} if shape is None else {k: v.serialization for k, v in shape.members.items()}
    is_form = isinstance(body, bytes) and (shape is None or "payload" not in shape.serialization)
    reason = answer_problem(
        members,
        response_dict["headers"],
        body if is_form else None,
        is_json="json" in operation_model.service_model.resolved_protocol,
    )
    if reason:
        if isinstance(body, StreamingBody):
            body.close()  # nobody else would give its connection back
        raise AnswerMalformed(reason=reason)
