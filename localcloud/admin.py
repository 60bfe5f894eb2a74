"""Admin: ``/_localcloud/``, what no AWS has: health, faults, demonstration, lab, function code.

``GET controls`` tells how the demonstration and the lab stand. ``POST demonstration`` and
``POST lab/NAME`` begin, with ``{"project", "stage", "utc_offset"}``; ``DELETE`` ends.
"""

import json
import os
import re
from typing import TYPE_CHECKING, Any

from localcloud import wire
from localcloud.errors import AwsError
from localcloud.wire import Environ, Response
from workflow.errors import WorkflowError
from workflow.regions import Region
from workflow.settings import Settings

if TYPE_CHECKING:
    from localcloud.cloud import LocalCloud

NAME = "localcloud"
_LAB = "/_localcloud/lab/"
_BLOB = re.compile(r"/_localcloud/blobs/([0-9a-f]{64})")


class Admin:
    """Answers the requests under ``/_localcloud/``.

    Args:
        cloud: The cloud that is asked about.
    """

    def __init__(self, cloud: "LocalCloud") -> None:
        self._cloud = cloud

    def answer_request(self, environ: Environ) -> Response:
        """Answer one request."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/_localcloud/health":
            return _json_response(self._describe_health())
        if path == "/_localcloud/faults":
            return self._manage_faults(environ, method)
        if path == "/_localcloud/controls":
            return _json_response(self._describe_controls())
        if path == "/_localcloud/demonstration" or path.startswith(_LAB):
            return self._change_control(environ, method, path)
        if match := _BLOB.fullmatch(path):
            return self._read_blob(match[1])
        return _json_response({"message": f"There is nothing at {path}."}, 404)

    def _describe_health(self) -> dict[str, Any]:
        return {
            "account": self._cloud.account,
            "region": self._cloud.region,
            "directory": os.fspath(self._cloud.store.directory),
        }

    def _manage_faults(self, environ: Environ, method: str) -> Response:
        faults = self._cloud.faults
        if method == "POST":
            try:
                return _json_response(faults.add_fault(json.loads(wire.read_body(environ))))
            except (AwsError, ValueError) as error:
                return _json_response({"message": str(error)}, 400)
        if method == "DELETE":
            faults.clear_faults()
        return _json_response({"faults": faults.list_faults()})

    def _describe_controls(self) -> dict[str, Any]:
        return {
            "demonstration": self._cloud.demonstration.status(),
            "lab": self._cloud.lab.status(),
        }

    def _change_control(self, environ: Environ, method: str, path: str) -> Response:
        """Begin or end the demonstration, or a condition of the lab."""
        try:
            given = json.loads(wire.read_body(environ) or b"{}")
            named = {f"SCONES_{name.upper()}": given[name] for name in ("project", "stage")}
            region = Region(self._cloud.region, "the local cloud")
            settings = Settings.from_env(named, account=self._cloud.account, region=region)
            demonstration, lab = self._cloud.demonstration, self._cloud.lab
            match method, path.startswith(_LAB):
                case "POST", True:
                    lab.begin_condition(path.removeprefix(_LAB), settings)
                case "POST", False:
                    demonstration.start(settings, utc_offset=float(given["utc_offset"]))
                case "DELETE", True:
                    lab.end_condition(path.removeprefix(_LAB))
                case "DELETE", False:
                    demonstration.remove(settings)
                case _:
                    return _json_response({"message": f"{method} is not for {path}."}, 405)
        except (AwsError, WorkflowError) as error:
            return _json_response({"code": error.code, "message": str(error)}, 409)
        except (ValueError, TypeError, KeyError) as error:
            return _json_response({"code": "ValidationException", "message": repr(error)}, 400)
        return _json_response(self._describe_controls())

    def _read_blob(self, digest: str) -> Response:
        path = self._cloud.store.blob_path(digest)
        if not path.exists():
            return _json_response({"message": "There is no such blob."}, 404)
        return Response(200, {"content-type": "application/zip"}, path.read_bytes())


def _json_response(content: dict[str, Any], status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())
