"""Conditions: stands in front of every request, and lets an account be as unkind as a new one."""

import time
from collections.abc import Callable, Mapping

from localcloud import wire
from localcloud.aws_like.account import AwsLike
from localcloud.aws_like.disturbances import DisturbanceKind, Disturbances, fault_error
from localcloud.aws_like.visibility import Visibility
from localcloud.wire import Call, Environ, Response

_SUCCESS = 300


class Disconnected(ConnectionError):  # noqa: N818 - an outcome with a name of its own
    """The connection breaks without an answer."""


class Conditions:
    """What happens to the calls of one account before, instead of and after they are answered.

    Args:
        aws_like: How unkind it is.
        names: ``partition``, ``region`` and ``account``.
    """

    def __init__(self, aws_like: AwsLike, names: Mapping[str, str]) -> None:
        self._disturbances = Disturbances(aws_like)
        self._visibility = Visibility(aws_like, names)

    def answer_request(
        self, environ: Environ, call: Call, go_on: Callable[[], Response]
    ) -> Response:
        """Answer a request, or let it go on.

        Args:
            environ: The request.
            call: The call in it.
            go_on: Answers it as a kind cloud does.

        Raises:
            AwsError: The call is refused.
            Disconnected: It gets no answer.
        """
        disturbance = self._disturbances.draw_next()
        kind = disturbance.kind if disturbance else None
        if kind is DisturbanceKind.LOST:
            raise Disconnected
        if kind is DisturbanceKind.FAULT:
            raise fault_error(call.service)
        if disturbance:
            time.sleep(disturbance.seconds)
        if empty := self._visibility.check_visible(call):
            return wire.build_response(environ, call, dict(empty.result))
        response = go_on()
        if response.status < _SUCCESS:
            self._visibility.note_change(call, response.body)
            response = self._visibility.filter_listing(call, response)
        if kind is DisturbanceKind.UNANSWERED:
            raise Disconnected
        return response

    def check_call(self, call: Call) -> None:
        """Let a call of another service have the same fate, as far as it has a connection.

        Raises:
            AwsError: The call is refused.
        """
        disturbance = self._disturbances.draw_next()
        if disturbance and disturbance.kind is not DisturbanceKind.LATE:
            raise fault_error(call.service)
        self._visibility.check_visible(call)
