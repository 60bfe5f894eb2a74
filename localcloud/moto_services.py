"""moto: the services this cloud does not have of its own (IAM, STS, training jobs and the rest)."""

from collections.abc import Iterable
from typing import Any

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud.wire import Environ, Response

ACCOUNT = "123456789012"


class Moto:
    """moto's WSGI application."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)

    def role_exists(self, arn: str) -> bool:
        """Whether IAM has the role."""
        roles = get_backend("iam")[ACCOUNT]["aws"].roles
        return arn in {role.arn for role in roles.values()}

    def answer(self, environ: Environ, service: str) -> Response:
        """Let moto answer a request."""
        given: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
            given.update(status=int(status.split()[0]), headers=dict(headers))

        body: Iterable[bytes] = self._app(environ, start)
        return Response(given["status"], given["headers"], b"".join(body))
