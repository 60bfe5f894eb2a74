"""Journal: the requests that changed something in moto, replayed when the local cloud starts.

moto keeps everything in memory. A request is written down after moto has done it, with its time
and the seed of moto's random numbers, so that a replay gives the same ids and dates.
"""

import datetime as dt
import io
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.core import utils
from moto.moto_api._internal import mock_random

from localcloud.store import Store
from localcloud.wire import Environ, Response

_TABLE = """
CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY, time REAL, seed INTEGER, environ TEXT, body BLOB
);
"""
_READING = re.compile(r"(Action=|\.)(Get|List|Describe|Simulate|BatchGet|Search|Query)")
_SIGNATURE = re.compile(r"Signature=[0-9a-f]+")
_SUCCESS = 300


class _Clock:
    """moto's clock: the real one, or the time of the request that is being replayed."""

    def __init__(self) -> None:
        self.moment: float | None = None

    def __call__(self) -> dt.datetime:
        moment = time.time() if self.moment is None else self.moment
        return dt.datetime.fromtimestamp(moment, dt.UTC).replace(tzinfo=None)


# Before moto's services are imported: they take the name over when they are.
_clock = _Clock()
utils.utcnow = _clock


class Journal:
    """What moto was asked, one request at a time.

    Args:
        store: Where it is kept.
        ask: Lets moto answer a request.
    """

    def __init__(self, store: Store, ask: Callable[[Environ], Response]) -> None:
        self._store = store
        self._ask = ask
        self._lock = threading.Lock()
        store.run_script(_TABLE)

    def replay(self) -> None:
        """Let moto do again all that it did.

        Raises:
            WorkflowError: ``CloudCorrupt`` where a row is not what was written.
        """
        rows = self._store.execute("SELECT id, time, seed, environ, body FROM journal ORDER BY id")
        try:
            for number, moment, seed, environ, body in rows:
                try:
                    _clock.moment = float(moment)
                    _clock()  # raises for a number that is not a time
                    mock_random.seed(int(seed))
                    self._ask(_rebuild_environ(environ, body))
                except Exception as error:
                    said = f"row {number} of its journal is damaged ({type(error).__name__})"
                    raise self._store.corrupt_error(self._store.path, said) from error
        finally:
            _clock.moment = None
            mock_random.seed()

    def answer_request(self, environ: Environ) -> Response:
        """Let moto answer a request, and write it down where it changed something."""
        body = environ["wsgi.input"].getvalue()
        with self._lock:
            # One request at a time: moto's clock and its random numbers are global.
            if not _is_change(environ, body):
                return self._ask(environ)
            moment, seed = time.time(), mock_random.getrandbits(62)
            _clock.moment = moment
            mock_random.seed(seed)
            try:
                response = self._ask(environ)
            finally:
                _clock.moment = None
                mock_random.seed()
            if response.status < _SUCCESS:
                self._store.execute(
                    "INSERT INTO journal (time, seed, environ, body) VALUES (?, ?, ?, ?)",
                    (moment, seed, json.dumps(_storable_parts(environ)), body),
                )
            return response


def _is_change(environ: Environ, body: bytes) -> bool:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target or environ["REQUEST_METHOD"] == "POST":
        text = target or body[:4096].decode("latin-1")
        return _READING.search(text) is None
    return environ["REQUEST_METHOD"] not in ("GET", "HEAD")


def _storable_parts(environ: Environ) -> dict[str, Any]:
    """Return the parts of a request that moto needs again; not its signature."""
    kept = {key: value for key, value in environ.items() if isinstance(value, str)}
    if "HTTP_AUTHORIZATION" in kept:
        # moto reads the region and service from this header and never checks the signature.
        kept["HTTP_AUTHORIZATION"] = _SIGNATURE.sub("Signature=0", kept["HTTP_AUTHORIZATION"])
    kept.pop("HTTP_X_AMZ_SECURITY_TOKEN", None)
    return kept


def _rebuild_environ(kept: str, body: bytes) -> Environ:
    """Return the request that was written down.

    Raises:
        ValueError: It is no request.
    """
    environ = json.loads(kept)
    if not isinstance(environ, dict) or not isinstance(body, bytes):
        raise ValueError("no request")  # noqa: TRY004 - the bytes are wrong, not the caller
    return {
        **environ,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
