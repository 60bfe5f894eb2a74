"""Requests: which call of which AWS service an HTTP request is, before anybody answers it."""

from botocore.exceptions import UnknownServiceError

from localcloud import wire
from localcloud.errors import AwsError
from localcloud.s3 import request as s3
from localcloud.wire import Call, Environ


def identify_call(environ: Environ, service: str, region: str) -> Call | None:
    """Return the call in a request; None where it is none that AWS has.

    Args:
        environ: The request; it can be read again.
        service: botocore's name of the service.
        region: The region that it was signed for.
    """
    try:
        if service == "s3":
            request = s3.read_request(environ)
            named = {"Bucket": request.bucket, "Key": request.key}
            return Call(service, request.operation, region, named)
        return wire.parse_call(environ, service, region)
    except (AwsError, UnknownServiceError):
        return None
    finally:
        environ["wsgi.input"].seek(0)  # forms are read from the stream
