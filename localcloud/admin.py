"""Admin: ``/_localcloud/``, what no AWS has: health, faults, and the code behind a function."""

import json
import os
import re
from typing import TYPE_CHECKING, Any

from localcloud import wire
from localcloud.errors import AwsError
from localcloud.wire import Environ, Response

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

NAME = "localcloud"
_BLOB = re.compile(r"/_localcloud/blobs/([0-9a-f]{64})")


class Admin:
    """Answers the requests under ``/_localcloud/``.

    Args:
        cloud: The cloud that is asked about.
    """

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud

    def answer(self, environ: Environ) -> Response:
        """Answer one request."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/_localcloud/health":
            return _json(self._health())
        if path == "/_localcloud/faults":
            return self._faults(environ, method)
        if match := _BLOB.fullmatch(path):
            return self._blob(match[1])
        return _json({"message": f"There is nothing at {path}."}, 404)

    def _health(self) -> dict[str, Any]:
        return {
            "account": self._cloud.account,
            "region": self._cloud.region,
            "directory": os.fspath(self._cloud.store.directory),
        }

    def _faults(self, environ: Environ, method: str) -> Response:
        faults = self._cloud.faults
        if method == "POST":
            try:
                return _json(faults.add(json.loads(wire.read_body(environ))))
            except (AwsError, ValueError) as error:
                return _json({"message": str(error)}, 400)
        if method == "DELETE":
            faults.clear()
        return _json({"faults": faults.all()})

    def _blob(self, digest: str) -> Response:
        path = self._cloud.store.blob_path(digest)
        if not path.exists():
            return _json({"message": "There is no such blob."}, 404)
        return Response(200, {"content-type": "application/zip"}, path.read_bytes())


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())
