"""The directory in which the records of a workflow are kept."""

import os
from collections.abc import Mapping
from pathlib import Path

from dashboard.aws.cloud import DATA_DIRECTORY, STATE_DIRECTORY, Connection
from workflow.data_directory import records_folder, store_directory


def store_root(
    connection: Connection, environ: Mapping[str, str] = os.environ, *, kind: str = "executions"
) -> Path:
    """Return the folder of the watched workflow's executions, or of another ``kind``.

    A local cloud's lie in its own directory, so that they go when it is deleted.
    """
    watched, cloud = connection.watched, connection.cloud
    own = watched.executions_store_name if kind == "executions" else watched.store_name
    folder = records_folder(kind, cloud.account, cloud.region, own)
    if cloud.endpoint_url:
        state = Path(environ.get("SCONES_LOCALCLOUD_DIR") or STATE_DIRECTORY)
        return state / "dashboard" / folder
    return store_directory(DATA_DIRECTORY, environ) / folder
