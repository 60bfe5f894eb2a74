"""moto: the services this cloud does not have of its own (IAM, STS, training jobs and the rest)."""

from typing import Any

# Before moto's services: its import replaces the clock that they take over.
from localcloud.journal import Journal

# isort: split
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud.store import Store
from localcloud.wire import Environ, Response

ACCOUNT = "123456789012"


class _Dispatcher(DomainDispatcherApplication):
    """moto's choice of a service by the host of a request."""

    def get_backend_for_host(self, host: str | None) -> Any:  # noqa: ANN401 - moto's own types
        """Return the service that a host means.

        Raises:
            NotImplementedError: moto has no such service; by itself it prints that, and fails.
        """
        hosts = (f"http://{host}", f"https://{host}")
        patterns = [pattern for _, pattern in self.backend_url_patterns]
        if str(host).endswith(".amazonaws.com") and not any(
            pattern.match(url) for pattern in patterns for url in hosts
        ):
            raise NotImplementedError(host)
        return super().get_backend_for_host(host)


class Moto:
    """moto's WSGI application, with a journal so that it survives a restart.

    Args:
        store: Where the journal is kept.
    """

    def __init__(self, store: Store) -> None:
        self._app = _Dispatcher(create_backend_app)
        self._journal = Journal(store, self._call_app)

    def start(self) -> None:
        """Bring moto back to where it was."""
        self._journal.replay()

    def answer_request(self, environ: Environ) -> Response:
        """Let moto answer a request.

        Raises:
            NotImplementedError: moto has no such service or no such operation.
        """
        response = self._journal.answer_request(environ)
        html = response.headers.get("Content-Type", "").startswith("text/html")
        if html and response.status in (404, 405):  # Flask has no route: moto knows no operation
            raise NotImplementedError(environ["PATH_INFO"])
        return response

    def _call_app(self, environ: Environ) -> Response:
        given: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
            given.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))

        body = self._app(environ, start)
        return Response(given["status"], given["headers"], b"".join(body))
