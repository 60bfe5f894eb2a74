"""The connection: to AWS where ``SCONES_CLOUD=aws``, else to a local cloud started for the app.

This is the one place that knows the difference. Everything else is given a boto3 session.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.configloader import load_config

from dashboard.aws.errors import explained
from dashboard.aws.limits import LimitedSession
from dashboard.aws.parsing import CheckedParsers
from dashboard.aws.quotas import Pacer
from workflow.access import Calls
from workflow.class_names import ClassNames
from workflow.contract import LABELS
from workflow.data_directory import data_directory
from workflow.errors import WorkflowError, last_error
from workflow.regions import Region, partition_of, resolve
from workflow.settings import Settings
from workflow.watched import WatchedWorkflow, of_deployment

_ROOT = Path(__file__).resolve().parents[2]
DATA_DIRECTORY = data_directory(_ROOT, os.environ, Path.home())
STATE_DIRECTORY = DATA_DIRECTORY / ".localcloud"
MANIFEST = _ROOT / "deploy" / "model" / "artifacts" / "manifest.json"
"""What a training run writes beside the model that ``deploy`` packs."""

START_SECONDS = 60
_ALIVE_SECONDS = 1
_CLIENTS = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=3,
    read_timeout=10,  # no call of a page takes longer; deploy has clients of its own
    max_pool_connections=32,
)
_AT_START = Config(
    retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=3
)
"""Nothing can be shown before that call is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Which cloud one is looking at.

    Attributes:
        name: ``AWS`` or ``Local cloud``.
        account: Twelve-digit account id.
        region: Such as ``eu-west-1``.
        region_source: Where the region's name comes from, such as ``AWS_REGION``.
        endpoint_url: Where the local cloud listens; None on AWS.
        pid: Process id of the local cloud; None on AWS.
        credentials_file: Where the local cloud keeps its access key; None on AWS.
        credentials_written: When AWS's file of credentials was last written, in nanoseconds; 0
            where there is none.
    """

    name: str
    account: str
    region: str
    region_source: str = ""
    endpoint_url: str | None = None
    pid: int | None = None
    credentials_file: str | None = None
    credentials_written: int = 0


@dataclass(frozen=True, slots=True)
class Connection:
    """A cloud, the workflow that is watched in it, and boto3 clients to reach it.

    Attributes:
        cloud: Which cloud it is.
        settings: The deployment's settings, in that cloud's account and region; for ``deploy``.
        session: What the functions of ``deploy`` take; every client of it reaches ``cloud``.
        pacer: Keeps the process within the Step Functions quotas of the account and region.
        classes: Names of the classes of the deployed model.
        chosen: The workflow that is watched instead of the deployed one, or None.
    """

    cloud: Cloud
    settings: Settings
    session: boto3.Session
    pacer: Pacer
    classes: tuple[str, ...] = LABELS
    chosen: WatchedWorkflow | None = None
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def watched(self) -> WatchedWorkflow:
        """The workflow that is watched: whose names every page asks for."""
        return self.chosen or replace(of_deployment(self.settings), classes=self.classes)

    def watching(self, workflow: WatchedWorkflow) -> "Connection":
        """Return the same connection, with its clients, for another workflow."""
        return replace(self, chosen=None if workflow.deployed else workflow)

    def limited(self, calls: Calls) -> "Connection":
        """Return a connection to the same cloud that makes calls which read, and these."""
        session = LimitedSession(self.session, calls)
        return Connection(self.cloud, self.settings, session, self.pacer, self.classes, self.chosen)

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes client classes at run time
        """Return the client of an AWS service, such as ``s3``; threads may share it."""
        with self._lock:
            if service not in self._clients:
                # Threads may share a client, but not a session that makes one (Boto3 guide,
                # "Multithreading").
                self._clients[service] = self.session.client(service)  # type: ignore[call-overload]
            return self._clients[service]

    def alive(self) -> bool:
        """Return whether the local cloud still listens; of AWS, whether credentials are the same.

        Botocore renews those that it knows how to renew. It reads those in the file only once, so
        expired ones that somebody replaced there need another connection.
        """
        if self.cloud.endpoint_url is None:
            return self.cloud.credentials_written == _credentials_written()
        address = urlsplit(self.cloud.endpoint_url)
        try:
            socket.create_connection(
                (address.hostname or "", address.port or 80), _ALIVE_SECONDS
            ).close()
        except OSError:
            return False
        return True


def connect(environ: Mapping[str, str]) -> Connection:
    """Connect to the cloud that ``SCONES_CLOUD`` names; start a local one where it names none.

    Args:
        environ: ``SCONES_CLOUD`` (``aws``, or unset), ``SCONES_LOCALCLOUD_DIR`` and
            ``SCONES_LOCALCLOUD_PORT`` for the local cloud, the variables that name the region, and
            what ``Settings.from_env`` reads.

    Raises:
        WorkflowError: with the local cloud's own code where it cannot start; with AWS's where the
            credentials are missing or refused; ``SettingInvalid`` for another ``SCONES_CLOUD``.
    """
    chosen = environ.get("SCONES_CLOUD", "")
    if chosen == "aws":
        try:
            return _connect_aws(environ)
        except WorkflowError as error:
            remedy = f"{error.remedy} Or leave out SCONES_CLOUD=aws to use the local cloud."
            raise WorkflowError(error.code, error.message, remedy) from error
    if chosen:
        raise WorkflowError(
            "SettingInvalid",
            f"SCONES_CLOUD is {chosen!r}.",
            "Set it to aws, or leave it out to use the local cloud.",
        )
    return _connect_local(environ)


def _connect_aws(environ: Mapping[str, str]) -> Connection:
    # Before they are read: a file that is written meanwhile then counts as newer.
    written = _credentials_written()
    with explained("sts:GetCallerIdentity"):
        core = _Session()
        region = resolve(environ, profile=core.get_scoped_config().get("region"))
        partition_of(region.name)
        session = _make_session(core, region.name)
        account = session.client("sts", config=_AT_START).get_caller_identity()["Account"]
    settings = Settings.from_env(environ, account=account, region=region)
    cloud = Cloud(
        name="AWS",
        account=account,
        region=region.name,
        region_source=region.source,
        credentials_written=written,
    )
    classes = settings.classes or model_classes()
    return Connection(cloud, settings, session, Pacer(region.name), classes)


def _credentials_written() -> int:
    """Return when the shared file of credentials was last written, in nanoseconds; 0 if never."""
    name = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    try:
        return Path(name).expanduser().stat().st_mtime_ns
    except OSError:
        return 0


def _connect_local(environ: Mapping[str, str]) -> Connection:
    ready = _start_local_cloud(environ)
    cloud = Cloud(
        name="Local cloud",
        account=ready["account"],
        region=ready["region"],
        region_source="the local cloud",
        endpoint_url=ready["endpoint_url"],
        pid=ready["pid"],
        credentials_file=ready["credentials_file"],
    )
    core = _LocalSession(ready["endpoint_url"])
    keys = load_config(ready["credentials_file"])["profiles"]["default"]
    core.set_credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    region = Region(cloud.region, cloud.region_source)
    settings = Settings.from_env(environ, account=cloud.account, region=region)
    session = _make_session(core, cloud.region)
    classes = settings.classes or model_classes()
    return Connection(cloud, settings, session, Pacer(cloud.region), classes)


def model_classes(manifest: Path = MANIFEST) -> tuple[str, ...]:
    """Return the classes of the model in this checkout, as its manifest names them.

    Raises:
        WorkflowError: ``ManifestUnreadable``.
    """
    return ClassNames.of_manifest(manifest.read_bytes()).names if manifest.exists() else LABELS


def _make_session(core: botocore.session.Session, region: str) -> boto3.Session:
    core.set_default_client_config(_CLIENTS)
    # Before any client is made: each takes its parsers then.
    core.register_component("response_parser_factory", CheckedParsers())
    return boto3.Session(botocore_session=core, region_name=region)


class _Session(botocore.session.Session):
    """A session that threads share: botocore makes clients of one session one at a time only."""

    def __init__(self) -> None:
        super().__init__()
        self._making = threading.RLock()

    def create_client(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as botocore's own
        with self._making:
            return super().create_client(*args, **kwargs)


class _LocalSession(_Session):
    """A session whose every client talks to one endpoint, whatever profile the user has."""

    def __init__(self, endpoint_url: str) -> None:
        super().__init__()
        self._endpoint_url = endpoint_url

    # The user's profile may name a role or a proxy that the local cloud knows nothing of.
    def get_scoped_config(self) -> dict[str, Any]:
        return {}

    def create_client(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as botocore's own
        return super().create_client(*args, **{**kwargs, "endpoint_url": self._endpoint_url})


def _start_local_cloud(environ: Mapping[str, str]) -> dict[str, Any]:
    """Start the local cloud on the port that is asked for, else on its own, else on any."""
    if port := environ.get("SCONES_LOCALCLOUD_PORT"):
        return _ready_line(environ, ["--port", port])
    try:
        return _ready_line(environ, [])
    except WorkflowError as error:
        if error.code != "PortTaken":
            raise
        # Another program has the port that this directory had last: any other one serves as well.
        return _ready_line(environ, ["--port", "0"])


def _ready_line(environ: Mapping[str, str], port: list[str]) -> dict[str, Any]:
    """Run ``python -m localcloud``, or find the one that serves the directory; what it says first.

    It ends with this process; killed without a chance to end it, the next one finds it again.
    """
    directory = environ.get("SCONES_LOCALCLOUD_DIR") or str(STATE_DIRECTORY)
    command = [sys.executable, "-m", "localcloud", "--dir", directory, *port]
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        line = _first_line(process)
        threading.Thread(target=process.wait, daemon=True).start()  # leave no zombie behind
        atexit.register(process.terminate)
        if line:
            return dict(json.loads(line))
        stderr.seek(0)
        raise _start_failure(stderr)


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """Return what the process says first; nothing where it ends, or is silent for a minute."""
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        with process.stdout or tempfile.TemporaryFile() as stdout:
            return stdout.readline()
    finally:
        watchdog.cancel()


def _start_failure(stderr: IO[bytes]) -> WorkflowError:
    return last_error(
        stderr.read().decode(errors="replace"),
        lambda line: WorkflowError(
            "LocalCloudFailed",
            f"The local cloud could not start. {line}",
            "Run `python -m localcloud` in a terminal to see all its output.",
        ),
    )
