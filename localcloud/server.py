"""Server: which service answers a request; own services first, moto behind them."""

from collections.abc import Callable

from localcloud import wire
from localcloud.admin import Admin
from localcloud.cloud import Cloud
from localcloud.errors import AwsError
from localcloud.service import Unowned
from localcloud.wire import Call, Environ, Params, Response


class Router:
    """Answers every request to the local cloud.

    Args:
        cloud: The cloud, started.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._admin = Admin(cloud)

    def __call__(self, environ: Environ) -> Response:
        """Answer one request."""
        path = environ["PATH_INFO"]
        if path.startswith("/_localcloud/"):
            return self._admin.answer(environ)
        signed = wire.scope(environ)
        service, region = signed or ("s3", self._cloud.region)
        if service == "s3":
            return self._cloud.s3.answer(environ)
        if service in self._cloud.services:
            return self._own(environ, service, region)
        return self._cloud.moto.answer(environ)

    def _own(self, environ: Environ, service: str, region: str) -> Response:
        try:
            call = wire.parse(environ, service, region)
            handler = self._handler(call)
            self._cloud.admit(call)
            return wire.answer(environ, call, handler(call))
        except AwsError as error:
            return wire.refuse(environ, service, error)
        except Unowned:
            return self._cloud.moto.answer(environ)

    def _handler(self, call: Call) -> Callable[[Call], Params]:
        service = self._cloud.services[call.service]
        handler = service.operation(call.operation)
        if handler is not None:
            return handler
        if service.rest_is_motos:
            raise Unowned
        raise AwsError(
            "NotImplemented",
            f"The local cloud has no {call.operation}; docs/local-cloud.md says what it has.",
            501,
        )
