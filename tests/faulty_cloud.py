"""A cloud that fails on request: it answers as AWS does at its worst, and recovers."""

import threading
from collections.abc import Mapping
from enum import Enum
from http.client import HTTPConnection
from typing import Final, Self
from urllib.parse import urlsplit

from localcloud import wire
from localcloud.errors import AwsError
from localcloud.http import Server
from localcloud.wire import Call, Environ, Params, Response

_LONGEST_S: Final = 120.0


class Fault(Enum):
    """How calls fail; the values name the parameters of tests."""

    THROTTLED = "throttled"
    TIMED_OUT = "timed out"
    HANGS = "hangs"
    BROKEN = "answers 500"
    DENIED = "denied"
    TRUNCATED = "truncated"
    RESET = "reset"
    EXPIRED = "expired credentials"
    SKEWED = "clock skew"
    FOREIGN = "a proxy's page"


_DENIED: Final = "User: arn:aws:iam::123456789012:user/u is not authorized to perform: it"
_EXPIRED: Final = "The security token included in the request is expired"
_SKEWED: Final = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"
_BROKEN: Final = "We encountered an internal error. Please try again."
_REFUSALS: Final = {
    Fault.THROTTLED: (
        AwsError("ThrottlingException", "Rate exceeded"),
        AwsError("SlowDown", "Please reduce your request rate.", 503),
    ),
    Fault.TIMED_OUT: (
        AwsError("RequestTimeoutException", "The request timed out.", 408),
        AwsError("RequestTimeout", "Your socket connection was not read from in time."),
    ),
    Fault.BROKEN: (
        AwsError("InternalFailure", _BROKEN, 500),
        AwsError("InternalError", _BROKEN, 500),
    ),
    Fault.DENIED: (
        AwsError("AccessDeniedException", _DENIED),
        AwsError("AccessDenied", "Access Denied", 403),
    ),
    Fault.EXPIRED: (
        AwsError("ExpiredTokenException", _EXPIRED),
        AwsError("ExpiredToken", "The provided token has expired."),
    ),
    Fault.SKEWED: (
        AwsError("InvalidSignatureException", _SKEWED),
        AwsError("RequestTimeTooSkewed", "The difference between the times is too large.", 403),
    ),
}
"""What services answer, and what S3 does."""


_NOTHING: Final = AwsError("ResourceNotFoundException", "It does not exist.", 400)
_NO_BUCKET: Final = AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
_HALF: Final = b'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>b</Na'


class FaultyCloud:
    """An endpoint of every service, in which there is nothing but what ``answers`` says.

    Args:
        answers: What operations answer that never fail, such as those that lead to others.
        behind: URL of a cloud that answers what does not fail; empty for none.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, answers: Mapping[str, Params], behind: str = "") -> None:
        self._answers = answers
        self._behind = urlsplit(behind).netloc
        self._fault: Fault | None = None
        self._since = ""
        self._lost = self._once = False
        self._healed = threading.Event()
        self._server = Server(0)
        self._server.app = self._answer
        self.url = self._server.url

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fail(
        self, fault: Fault, *, since: str = "", lost: bool = False, once: bool = False
    ) -> None:
        """Have every call fail from now on.

        Args:
            fault: How.
            since: The call that is the first to fail: an operation of a JSON protocol, or method
                and path as they begin, such as ``PUT /bucket/images/``; empty for the next one.
            lost: Whether that first one is done, and only its answer is lost.
            once: Whether only that first one fails.
        """
        self.heal()
        self._healed = threading.Event()
        self._since, self._lost, self._once = since, lost, once
        self._fault = fault

    @property
    def struck(self) -> bool:
        """Whether calls fail now."""
        return self._fault is not None and not self._since

    def heal(self) -> None:
        """Answer as AWS does from now on; what hangs loses its connection."""
        self._fault = None
        self._healed.set()

    def _answer(self, environ: Environ) -> Response:
        service, region = wire.signed_scope(environ) or ("", "")
        if service == "localcloud" and not self._behind:
            return Response(404, {})
        operation = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        called = operation or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if self._since and called.startswith(self._since):
            self._since = ""
            if self._lost:
                self._forward(environ)
        fault, healed = None if self._since else self._fault, self._healed
        if fault is not None and self._once:
            self._fault = None
        if operation in self._answers:
            call = Call(service, operation, region, {})
            return wire.build_response(environ, call, dict(self._answers[operation]))
        if fault is None:
            missing = _NO_BUCKET if service == "s3" else _NOTHING
            return (
                self._forward(environ)
                if self._behind
                else wire.error_response(environ, service, missing)
            )
        if fault is Fault.HANGS:
            healed.wait(_LONGEST_S)
        return _failure(fault, environ, service)

    def _forward(self, environ: Environ) -> Response:
        """Return what the cloud behind answers to the headers as they were signed."""
        connection = HTTPConnection(self._behind, timeout=_LONGEST_S)
        headers = wire.request_headers(environ)
        headers.pop("transfer-encoding", None)
        headers |= {"connection": "close", "content-length": environ["CONTENT_LENGTH"]}
        try:
            target, body = environ["RAW_URI"], wire.read_body(environ)
            connection.request(environ["REQUEST_METHOD"], target, body, headers)
            answer = connection.getresponse()
            length = answer.headers["content-length"]
            given = {name.lower(): value for name, value in answer.getheaders()}
            if length is not None and environ["REQUEST_METHOD"] != "HEAD":
                del given["content-length"]
            return Response(answer.status, given, answer.read())
        finally:
            connection.close()


def _failure(fault: Fault, environ: Environ, service: str) -> Response:
    match fault:
        case Fault.HANGS | Fault.RESET:
            raise ConnectionError
        case Fault.FOREIGN:
            page = b"<!DOCTYPE html><title>Sign in</title>"
            return Response(200, {"content-type": "text/html"}, page)
        case Fault.TRUNCATED:
            environ["HTTP_CONNECTION"] = "close"
            body = _HALF if service == "s3" else b'{"executions": [{"executionArn": "arn:a'
            return Response(200, {"content-length": str(2 * len(body))}, body)
    of_services, of_s3 = _REFUSALS[fault]
    return wire.error_response(environ, service, of_s3 if service == "s3" else of_services)
