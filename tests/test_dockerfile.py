"""The image runs as nobody in particular, holds no secret, and says when it is ill."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def last(name: str) -> str:
    return [rest for found, rest in instructions() if found == name][-1]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(last("ENV")))


def test_the_process_is_not_root_and_writes_to_data_only() -> None:
    names = [name for name, _ in instructions()]

    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last("USER"))
    assert names.index("USER") > max(at for at, name in enumerate(names) if name in {"COPY", "RUN"})
    assert environment()["HOME"] == "/data"
    assert environment()["SCONES_STORE"].startswith("/data/")
    assert environment()["PYTHONDONTWRITEBYTECODE"] == "1"


def test_both_stages_begin_with_one_exact_python_that_the_project_supports() -> None:
    bases = {rest.split()[0] for name, rest in instructions() if name == "FROM"}

    (base,) = bases
    assert re.fullmatch(r"python:3\.1[123]\.\d+-slim-\w+", base)


def test_everything_is_installed_by_hash() -> None:
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]

    assert installs
    assert all("--require-hashes" in rest for rest in installs)
    assert not [name for name, _ in instructions() if name == "ADD"]


def test_nothing_secret_is_in_the_image() -> None:
    assert not [name for name, _ in instructions() if name == "ARG"]
    assert not [name for name in environment() if re.search("KEY|SECRET|TOKEN|PASS", name)]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {line[1:] for line in rules if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    assert not allowed & {".git", ".scones", ".localcloud", ".venv", "tests"}
    assert rules.index("**/secrets.toml") > max(rules.index(f"!{name}") for name in allowed)


def test_what_the_dashboard_imports_is_in_the_context() -> None:
    allowed = set((ROOT / ".dockerignore").read_text().replace("!", "").split())

    assert {"workflow", "deploy", "lambdas", "localcloud", "dashboard"} <= allowed
    assert {"requirements.lock", "step_function.json"} <= allowed


@contextmanager
def server(status: int, paths: list[str]) -> Iterator[int]:
    """Answer every request with a status; the paths are appended to the list."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found.server_address[1]
        found.shutdown()
        thread.join()


@pytest.mark.process
@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
@pytest.mark.parametrize(
    ("base", "path"), [("", "/_stcore/health"), ("/scones/", "/scones/_stcore/health")]
)
def test_the_health_check_asks_streamlit_below_its_base_path(
    *, status: int, healthy: bool, base: str, path: str
) -> None:
    command = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    asked: list[str] = []

    with server(status, asked) as port:
        program = command[2].replace(":8501/", f":{port}/")
        result = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "STREAMLIT_SERVER_BASE_URL_PATH": base},
            check=False,
            capture_output=True,
        )

    assert (result.returncode == 0) is healthy
    assert asked == [path]


def test_the_command_starts_the_dashboard_for_others_and_access_is_not_set() -> None:
    command = json.loads(last("CMD"))

    assert command[:4] == ["python", "-m", "streamlit", "run"]
    assert (ROOT / command[4]).exists()
    assert command[5:7] == ["--server.address", "0.0.0.0"]  # noqa: S104 - in a container
    assert "SCONES_ACCESS" not in environment()
