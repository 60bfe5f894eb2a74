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

from workflow.aws_answers import header_problem, problem

_FIRST_REDIRECT = 300


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
    if response["status_code"] < _FIRST_REDIRECT and shape is not None:
        reason = header_problem(_names(shape, "header"), response["headers"])
        if reason := reason or _find_problem(response["body"], shape, parsed, is_json=is_json):
            if isinstance(response["body"], StreamingBody):
                response["body"].close()  # nobody else would give its connection back
            raise AnswerMalformed(reason=reason)
    return parsed


def _find_problem(body: object, shape: Any, parsed: Mapping[str, Any], *, is_json: bool) -> str:  # noqa: ANN401 - botocore's shapes have no types
    """Return what is wrong with the answer to a call that went well; empty where nothing is."""
    members = _names(shape, None)
    if not members or not isinstance(body, bytes) or "payload" in shape.serialization:
        return ""  # nothing is expected in the body, or it is data
    if reason := problem(body, members, is_json=is_json):
        return reason
    missing = [name for name in shape.required_members if name not in parsed]
    return f"It has no {missing[0]}." if missing else ""


def _names(shape: Any, location: str | None) -> set[str]:  # noqa: ANN401 - botocore's shapes have no types
    """Return the names that members of an answer have in a place; None is the body."""
    return {
        member.serialization.get("name", name)
        for name, member in shape.members.items()
        if member.serialization.get("location") == location
    }
