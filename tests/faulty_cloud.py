"""A cloud that fails on request: it answers as AWS does at its worst, and recovers."""

import threading
from collections.abc import Mapping
from enum import Enum
from typing import Final, Self

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

    Attributes:
        url: Where it listens.
    """

    def __init__(self, answers: Mapping[str, Params]) -> None:
        self._answers = answers
        self._fault: Fault | None = None
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

    def fail(self, fault: Fault) -> None:
        """Have every call fail from now on."""
        self.heal()
        self._healed = threading.Event()
        self._fault = fault

    def heal(self) -> None:
        """Answer as AWS does from now on; what hangs loses its connection."""
        self._fault = None
        self._healed.set()

    def _answer(self, environ: Environ) -> Response:
        fault, healed = self._fault, self._healed
        service, region = wire.signed_scope(environ) or ("", "")
        if service == "localcloud":
            return Response(404, {})
        operation = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        if operation in self._answers:
            call = Call(service, operation, region, {})
            return wire.build_response(environ, call, dict(self._answers[operation]))
        if fault is None:
            missing = _NO_BUCKET if service == "s3" else _NOTHING
            return wire.error_response(environ, service, missing)
        match fault:
            case Fault.HANGS:
                healed.wait(_LONGEST_S)
                raise ConnectionError
            case Fault.RESET:
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
