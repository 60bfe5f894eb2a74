"""moto: the services this cloud does not have of its own (IAM, STS, training jobs and the rest)."""

from typing import Any

from localcloud.journal import Journal

# isort: split
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud.store import Store
from localcloud.wire import Environ, Response

ACCOUNT = "123456789012"


class Moto:
    """moto's WSGI application, with a journal so that it survives a restart.

    Args:
        store: Where the journal is kept.
    """

    def __init__(self, store: Store) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._journal = Journal(store, self._ask)

    def start(self) -> None:
        """Bring moto back to where it was."""
        self._journal.replay()

    def answer(self, environ: Environ) -> Response:
        """Let moto answer a request."""
        return self._journal.answer(environ)

    def _ask(self, environ: Environ) -> Response:
        given: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
            given.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))

        body = self._app(environ, start)
        return Response(given["status"], given["headers"], b"".join(body))
