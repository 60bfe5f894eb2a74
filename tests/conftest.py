"""Fixtures that several test folders share."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.configloader import load_config
from botocore.credentials import Credentials
from hypothesis import HealthCheck, Phase, settings

from tests import quick_aws
from tests.loopback import sitecustomize as loopback
from tests.nightly import NIGHTLY, often

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where the environment forbids it, each of the hundreds of processes that tests start compiles all
# that it imports: two thirds of the time in which a local cloud starts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A busy machine is no bug: how long an example takes is measured in benchmarks, not in tests.
settings.register_profile(
    "untimed",
    max_examples=often(100, 20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")
# `make mutants` runs each test many times in one process, has to find the same each time, and needs
# no smallest example of a failure.
settings.register_profile(
    "mutants",
    settings.get_profile("untimed"),
    max_examples=20,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)

quick_aws.install()


@dataclass(frozen=True)
class LocalCloud:
    """A running local cloud; ``client`` gives boto3 clients that talk to nothing else."""

    endpoint_url: str
    account: str
    region: str
    directory: Path
    process: subprocess.Popen[str]
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self._make(service)
        return self.clients[service]

    @property
    def keys(self) -> dict[str, str]:
        """The cloud's access key, as ``boto3.client`` takes it."""
        profile = load_config(str(self.directory / "credentials"))["profiles"]["default"]
        return {name: profile[name] for name in ("aws_access_key_id", "aws_secret_access_key")}

    @property
    def environ(self) -> dict[str, str]:
        """The variables that point any AWS client to this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **{name.upper(): value for name, value in self.keys.items()},
        }

    def signed(
        self, method: str, path: str, service: str, data: bytes | None = None, **headers: str
    ) -> urllib.request.Request:
        """A request that no client of boto3's sends, signed."""
        url = f"{self.endpoint_url}{path}"
        request = AWSRequest(method, url, headers, data)
        SigV4Auth(Credentials(*self.keys.values()), service, self.region).add_auth(request)
        return urllib.request.Request(url, data, dict(request.headers.items()), method=method)  # noqa: S310 - loopback

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Ask ``/_localcloud/{path}`` and parse the answer; ``body`` is sent as JSON."""
        data = None if body is None else json.dumps(body).encode()
        kind = {"content-type": "application/json"}
        request = self.signed(method, f"/_localcloud/{path}", "localcloud", data, **kind)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())

    def _make(self, service: str) -> Any:
        make: Any = boto3.client  # its stub wants the name of one service
        return make(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            **self.keys,
            config=Config(
                retries={"total_max_attempts": 1}, inject_host_prefix=False, max_pool_connections=32
            ),
        )


def start_local_cloud(directory: Path, *options: str) -> LocalCloud:
    """Start ``python -m localcloud`` on a free port and wait until it is ready."""
    hidden = ("AWS_", "SCONES_")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    process = subprocess.Popen(
        [sys.executable, "-m", "localcloud", "--dir", str(directory), "--port", "0", *options],
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    )
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    process.stdout.close()
    return LocalCloud(line["endpoint_url"], line["account"], line["region"], directory, process)


def stop_local_cloud(cloud: LocalCloud) -> None:
    """Stop it as a user would, and wait until it has ended."""
    for client in cloud.clients.values():
        client.close()
    cloud.process.terminate()
    assert cloud.process.wait(30) == 0


def pytest_configure(config: pytest.Config) -> None:
    """Let Python processes reach nothing beyond loopback; workers and children inherit it."""
    if hasattr(config, "workerinput"):
        return
    handle, report = tempfile.mkstemp(prefix="beyond-loopback-")
    os.close(handle)
    found = os.environ.get("PYTHONPATH")
    paths = [str(Path(loopback.__file__).parent), *([found] if found else [])]
    os.environ |= {loopback.REPORT: report, "PYTHONPATH": os.pathsep.join(paths)}
    # boto3 asks an address beyond loopback for credentials where it finds no other.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run of which a process tried to reach something beyond loopback."""
    if hasattr(session.config, "workerinput"):
        return
    report = Path(os.environ[loopback.REPORT])
    found = report.read_text()
    report.unlink()
    if found:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        reporter.section("beyond loopback", red=True)
        reporter.write(found)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked ``nightly`` to ``make nightly``, and begin with the journeys.

    The journeys come first so that one worker has them all: they share its apps and its browser,
    while the other workers do the rest.
    """
    items.sort(key=lambda item: item.get_closest_marker("journey") is None)
    if not NIGHTLY:
        left = [item for item in items if item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through all modules in the middle of tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One local cloud for the whole session, on a free port, in a folder of its own.

    Tests share it, so each names its resources after itself. Mark them ``cloud``.
    """
    cloud = start_local_cloud(tmp_path_factory.mktemp("localcloud"))
    yield cloud
    stop_local_cloud(cloud)


SMALL_DISK = 6 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for 6 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)
