"""Nothing that tests start reaches beyond loopback: neither telemetry nor AWS."""

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.loopback.sitecustomize import REPORT

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = "192.0.2.1"
"""An address that nobody has (RFC 5737)."""


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report of the test's own: what it provokes fails nothing."""
    file = tmp_path / "report"
    monkeypatch.setenv(REPORT, str(file))
    return file


def test_this_process_reaches_no_other_machine(report: Path) -> None:
    with pytest.raises(OSError, match=f"and so not {ELSEWHERE}"):
        socket.create_connection((ELSEWHERE, 443), timeout=5)
    with pytest.raises(OSError, match=r"and so not checkip\.amazonaws\.com"):
        urllib.request.urlopen("https://checkip.amazonaws.com", timeout=5)
    with (
        socket.socket(type=socket.SOCK_DGRAM) as datagram,
        pytest.raises(OSError, match="beyond loopback"),
    ):
        datagram.sendto(b"hello", (ELSEWHERE, 53))

    lines = report.read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"socket.connect {ELSEWHERE}",
        "socket.getaddrinfo checkip.amazonaws.com",
        f"socket.sendto {ELSEWHERE}",
    ]
    assert all("test_this_process_reaches_no_other_machine" in line for line in lines)


def test_loopback_is_reached(report: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port), timeout=5).close()
    assert not report.exists()


@pytest.mark.process
def test_a_process_that_a_test_starts_reaches_no_other_machine(report: Path) -> None:
    code = f"import socket; socket.create_connection(('{ELSEWHERE}', 443), timeout=5)"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert "Tests reach nothing beyond loopback" in ended.stderr
    assert report.read_text().startswith(f"socket.connect {ELSEWHERE}: ")


@pytest.mark.process
def test_a_run_that_survives_a_refusal_fails_all_the_same() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        [*command, "tests/loopback/surviving.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout
    assert f"socket.connect {ELSEWHERE}: " in ended.stdout
