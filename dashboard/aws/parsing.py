"""Parsing: what answers in AWS's place, or was cut short, is a named error instead of no data.

botocore stumbles over members of other types too. Every answer of a session passes here before it
is believed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.model import Shape
from botocore.parsers import BaseJSONParser, ResponseParserFactory
from botocore.response import StreamingBody

from workflow.aws_answers import FIRST_REDIRECT, answer_problem, documented_names


class AnswerMalformed(BotoCoreError):  # noqa: N818 - its name is the code that people see
    """The answer is not of the form that AWS documents."""

    fmt = "{reason}"


class CheckedParsers(ResponseParserFactory):
    """botocore's parsers, each looking at the form of an answer first."""

    def create_parser(self, protocol_name: str) -> Any:  # noqa: ANN401 - botocore has no types
        """Return a parser that raises ``AnswerMalformed`` for whatever is not an answer of AWS."""
        parser: Any = super().create_parser(protocol_name)
        is_json = isinstance(parser, BaseJSONParser)
        # Replaced on the instance: botocore chooses the class by the protocol and has no hook
        # here.
        parser.parse = partial(_parse_checked, parser.parse, is_json=is_json)
        return parser


def _parse_checked(
    parse: Callable[[Mapping[str, Any], Shape | None], dict[str, Any]],
    response: Mapping[str, Any],
    shape: Shape | None,
    *,
    is_json: bool,
) -> dict[str, Any]:
    try:
        parsed = parse(response, shape)
    except Exception as error:  # the one edge to bytes of whoever answers
        raise AnswerMalformed(reason=f"It cannot be parsed ({type(error).__name__}).") from error
    if response["status_code"] >= FIRST_REDIRECT:
        return parsed
    if reason := _find_problem(response, shape, parsed, is_json=is_json):
        if isinstance(response["body"], StreamingBody):
            response["body"].close()  # nobody else would give its connection back
        raise AnswerMalformed(reason=reason)
    return parsed


def _find_problem(
    response: Mapping[str, Any],
    shape: Any,  # noqa: ANN401 - botocore's shapes have no types
    parsed: Mapping[str, Any],
    *,
    is_json: bool,
) -> str:
    """Return what is wrong with the answer to a call that went well; empty where nothing is."""
    # None for a call that answers nothing: a proxy may have answered in the place of AWS.
    members = {} if shape is None else {k: v.serialization for k, v in shape.members.items()}
    is_form = isinstance(response["body"], bytes) and (
        shape is None or "payload" not in shape.serialization
    )
    body = response["body"] if is_form else None
    reason = answer_problem(members, response["headers"], body, is_json=is_json)
    if reason or body is None or not documented_names(members, None):
        return reason
    missing = [name for name in shape.required_members if name not in parsed]
    return f"It has no {missing[0]}." if missing else ""
