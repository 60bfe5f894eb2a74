"""An execution environment of a function: what it sees, keeps and cannot reach, and its time.

Each property is shown with a root directory of its own (where this machine allows one) and without.
"""

import ctypes
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud.environment import Deployed, Environment, Site
from localcloud.pool import Pool

pytestmark = pytest.mark.process

# The handler evaluates what it is sent: each test asks what it wants to know.
EVALUATE = """
import contextlib, os, pathlib, shutil, subprocess, tempfile
def attempt(function, *given):
    try:
        return function(*given)
    except Exception as error:
        return type(error).__name__
def handler(event, context):
    return eval(event)
"""

ROOTED = (
    sys.platform == "linux"
    and subprocess.run(["unshare", "-Umr", "true"], check=False, capture_output=True).returncode
    == 0
)
LANDLOCK = (
    sys.platform == "linux"
    and ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0  # its version, where it is
)
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")


def deployed(folder, code, **configuration):
    folder.mkdir(exist_ok=True)
    (folder / "handler.py").write_text(code)
    return Deployed(
        arn="arn:aws:lambda:us-east-1:123456789012:function:f",
        revision="1",
        code=folder,
        configuration={
            "FunctionName": "f",
            "Version": "$LATEST",
            "MemorySize": 128,
            "Timeout": 20,
            "Handler": "handler.handler",
            "Role": "arn:aws:iam::123456789012:role/r",
            "Runtime": "python3.13",
            "EphemeralStorage": {"Size": 512},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
            **configuration,
        },
    )


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with what must not be read, and a secret in this process's environment."""
    folder = tmp_path / "home"
    (folder / ".aws").mkdir(parents=True)
    (folder / ".aws" / "credentials").write_text("secret")
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture(params=["own root", "own paths"])
def site(request, tmp_path):
    return Site(
        "http://127.0.0.1:1", tmp_path / "environments", namespaces=request.param == "own root"
    )


@pytest.fixture
def ask(site, tmp_path):
    """Evaluates an expression in an environment."""
    environment = Environment(deployed(tmp_path / "code", EVALUATE), site)

    def evaluate(expression):
        outcome = environment.invoke(json.dumps(expression).encode(), "r")
        return json.loads(outcome.payload)

    yield evaluate
    environment.close()
    assert list(site.folder.iterdir()) == []


@pytest.mark.parametrize(
    "write",
    [
        "open('/tmp/x', 'w').write('mine')",
        "pathlib.Path('/tmp/x').write_text('mine')",
        "os.write(os.open('/tmp/x', os.O_CREAT | os.O_WRONLY), b'mine')",
        "os.rename(tempfile.mkstemp()[1], '/tmp/x')",
        "shutil.copy('/var/task/handler.py', '/tmp/x')",
        "open(file='/tmp/x', mode='w').write('mine')",
        "[os.chdir('/tmp'), open('x', 'w').write('mine'), os.chdir('/var/task')] and 4",
        "[os.makedirs('/tmp/x/y'), shutil.rmtree('/tmp/x/y')] and 4",
        "os.symlink('/var/task/handler.py', '/tmp/x')",
    ],
)
def test_tmp_is_its_own(ask, write):
    ours = Path("/tmp/x")  # noqa: S108 - must not be touched
    before = os.path.lexists(ours)
    assert ask("os.listdir('/tmp')") == []
    failure = ask(f"[{write}, 0][1]")
    assert failure == 0
    assert ask("[os.listdir('/tmp'), os.path.lexists('/tmp/x'), os.getcwd()]") == [
        ["x"],
        True,
        "/var/task",
    ]
    assert os.path.lexists(ours) == before


def test_concurrent_invocations_never_see_each_others_files(site, tmp_path):
    code = (
        "import time\n"
        "def handler(event, context):\n"
        "    with open('/tmp/image.png', 'w') as file:\n        file.write(event)\n"
        "    time.sleep(0.02)\n"
        "    return open('/tmp/image.png').read()\n"
    )
    function = deployed(tmp_path / "code", code)
    pool = Pool(site)

    def invoke(number):
        return json.loads(pool.invoke(function, json.dumps(f"{number}").encode(), "r").payload)

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(invoke, range(200))) == [f"{number}" for number in range(200)]
    pool.close()
    assert list(site.folder.iterdir()) == []


def test_tmp_is_emptied_with_its_environment(site, tmp_path):
    function = deployed(tmp_path / "code", EVALUATE)
    for _ in range(2):
        environment = Environment(function, site)
        question = "[os.listdir('/tmp'), open('/tmp/x', 'w').write('')]"
        answer = environment.invoke(json.dumps(question).encode(), "r")
        environment.close()
        assert json.loads(answer.payload) == [[], 0]


def test_code_is_read_only(ask):
    refused = ["OSError", "PermissionError"]
    assert ask("attempt(open, '/var/task/handler.py', 'w')") in refused
    assert ask("attempt(open, '/var/task/handler.py', 'a')") in refused


@needs_landlock
def test_nothing_is_written_but_in_tmp(ask, tmp_path):
    paths = ["/var/task/new", "/usr/new", str(tmp_path / "new")]
    errors = ask(f"[attempt(open, path, 'w') for path in {paths}]")
    assert set(errors) <= {"OSError", "PermissionError", "FileNotFoundError"}


@needs_landlock
def test_the_users_files_are_out_of_reach(ask, home, tmp_path):
    secret = str(home / ".aws" / "credentials")
    errors = ask(f"[attempt(open, {secret!r}), attempt(os.listdir, {str(tmp_path)!r})]")
    assert set(errors) <= {"PermissionError", "FileNotFoundError"}
    assert ask(f"subprocess.run(['cat', {secret!r}], capture_output=True, text=True).stdout") == ""


def test_home_is_its_own(ask, home):
    assert ask("os.path.expanduser('~')") == "/tmp"  # noqa: S108 - its own
    assert ask("os.path.exists(os.path.expanduser('~/.aws'))") is False


@needs_landlock
def test_the_parents_environment_and_process_are_out_of_reach(ask):
    parent = os.getpid()
    assert ask(f"attempt(open, '/proc/{parent}/environ')") == "PermissionError"
    assert ask(f"attempt(open, '/proc/{parent}/cmdline')") == "PermissionError"
    assert ask("'secret' in open('/proc/self/environ').read()") is False


def test_only_the_zip_boto3_and_python_can_be_imported(ask):
    modules = "boto3 botocore s3transfer jmespath dateutil urllib3 six simplejson json sqlite3"
    assert ask(f"[__import__(name).__name__ for name in {modules.split()}]") == modules.split()
    for absent in ("numpy", "pandas", "PIL", "requests", "moto", "localcloud", "workflow", "yaml"):
        assert ask(f"attempt(__import__, '{absent}')") == "ModuleNotFoundError"


def test_paths_are_those_of_aws(ask):
    site_packages = "/var/lang/lib/python3.13/site-packages"
    assert ask("__import__('boto3').__file__") == f"{site_packages}/boto3/__init__.py"
    found = ask("[__file__, str(pathlib.Path(__file__).resolve()), os.getcwd(), os.sys.path[0]]")
    assert found == ["/var/task/handler.py", "/var/task/handler.py", "/var/task", "/var/task"]
    assert ask(f"'boto3' in os.listdir({site_packages!r})") is True


def test_an_error_names_the_path_that_was_asked_for(ask):
    failure = ask("open('/tmp/missing.png')")
    assert failure["errorMessage"] == "[Errno 2] No such file or directory: '/tmp/missing.png'"
    files = {line.split('"')[1] for line in failure["stackTrace"]}
    assert files <= {"/var/task/handler.py", "<string>"}


@pytest.mark.skipif(not ROOTED, reason="this machine allows no user namespaces")
def test_with_a_root_of_its_own_other_programs_see_the_same_tmp(tmp_path):
    environment = Environment(
        deployed(tmp_path / "code", EVALUATE), Site("", tmp_path / "environments")
    )
    run = "subprocess.getoutput('echo hi > /tmp/x; ls / /tmp')"
    answer = json.loads(environment.invoke(json.dumps(run).encode(), "r").payload)
    environment.close()
    assert answer.endswith("/tmp:\nx")  # noqa: S108 - its own
    assert "home" not in answer


@pytest.mark.skipif(not ROOTED, reason="this machine allows no user namespaces")
def test_with_a_root_of_its_own_tmp_is_as_large_as_configured(tmp_path):
    function = deployed(tmp_path / "code", EVALUATE, EphemeralStorage={"Size": 1})
    environment = Environment(function, Site("", tmp_path / "environments"))
    fill = "[attempt(pathlib.Path(f'/tmp/{n}').write_bytes, bytes(600_000)) for n in range(2)]"
    answer = json.loads(environment.invoke(json.dumps(fill).encode(), "r").payload)
    environment.close()
    assert answer == [600_000, "OSError"]


# -- time ----------------------------------------------------------------------------------------

SLOW_TO_LOAD = "import time\ntime.sleep({load})\ndef handler(e, c):\n    time.sleep({run})\n"


@pytest.mark.parametrize(
    ("load", "run", "init_seconds", "kind"),
    [
        (0, 60, 50, "Sandbox.Timedout"),  # the time of init is not added to the function's
        (1.2, 0, 50, None),  # nor is what init takes taken from it
        (60, 0, 1, "Sandbox.Timedout"),  # too long for both
    ],
)
def test_the_timeout_holds_in_a_cold_start(tmp_path, load, run, init_seconds, kind):
    function = deployed(tmp_path / "code", SLOW_TO_LOAD.format(load=load, run=run), Timeout=1)
    site = Site("", tmp_path / "environments", init_seconds=init_seconds)
    environment = Environment(function, site)
    started = time.monotonic()
    outcome = environment.invoke(b"{}", "r-1")
    assert time.monotonic() - started < 45
    assert outcome.failed == (kind is not None)
    assert environment.reusable == (kind is None)
    if kind:
        assert json.loads(outcome.payload) == {
            "errorType": kind,
            "errorMessage": "RequestId: r-1 Error: Task timed out after 1.00 seconds",
        }
        assert any(e.endswith("Z r-1 Task timed out after 1.00 seconds") for e in outcome.log)
        assert outcome.log[-1].endswith("Status: timeout")
    environment.close()


def test_an_init_phase_that_was_too_short_goes_on_in_the_invocation(tmp_path):
    """The first load of the handler never ends, the second finds the mark gone."""
    code = (
        "import os, time\n"
        "if os.path.exists('/var/task/slow'):\n    time.sleep(60)\n"
        "def handler(e, c):\n    pass\n"
    )
    function = deployed(tmp_path / "code", code)
    mark = tmp_path / "code" / "slow"
    mark.touch()
    threading.Timer(1.0, mark.unlink).start()
    environment = Environment(function, Site("", tmp_path / "environments", init_seconds=3))
    outcome = environment.invoke(b"{}", "r-1")
    environment.close()
    assert outcome.payload == b"null"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys\nsys.exit(3)", "Runtime exited with error: exit status 3"),
        ("import os\nos.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        (
            "import ctypes\ndef handler(e, c):\n    ctypes.string_at(0)",
            "Runtime exited with error: signal: segmentation fault",
        ),
        (
            "import os\ndef handler(e, c):\n    os._exit(0)",
            "Runtime exited without providing a reason",
        ),
    ],
)
def test_a_runtime_that_ends_is_named_as_aws_names_it(tmp_path, code, reason):
    environment = Environment(
        deployed(tmp_path / "code", code), Site("", tmp_path / "environments")
    )
    outcome = environment.invoke(b"{}", "r-1")
    environment.close()
    assert json.loads(outcome.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: r-1 Error: {reason}",
    }
    assert [f"RequestId: r-1 Error: {reason}", "Runtime.ExitError"] == outcome.log[-4:-2]


def test_a_failed_init_is_tried_again_with_the_next_invocation(tmp_path):
    function = deployed(tmp_path / "code", "raise ValueError('not yet')")
    pool = Pool(Site("", tmp_path / "environments"))
    first = pool.invoke(function, b"{}", "r")
    assert json.loads(first.payload)["errorType"] == "ValueError"
    deployed(tmp_path / "code", "def handler(e, c):\n    return 'now'")
    assert pool.invoke(function, b"{}", "r").payload == b'"now"'
    pool.close()


def test_the_platform_is_silent_at_the_level_of_warnings(tmp_path):
    configuration = {"LogFormat": "JSON", "LogGroup": "g", "SystemLogLevel": "WARN"}
    code = "def handler(e, c):\n    print('mine')\n"
    function = deployed(tmp_path / "code", code, LoggingConfig=configuration)
    environment = Environment(function, Site("", tmp_path / "environments"))
    assert environment.invoke(b"{}", "r-1").log == ["mine"]
    environment.close()


def test_json_logs_are_json_from_start_to_report(tmp_path):
    code = (
        "import logging\n"
        "def handler(e, c):\n"
        "    logging.getLogger().info('seen')\n    raise KeyError('label')\n"
    )
    configuration = {"LogFormat": "JSON", "LogGroup": "g", "ApplicationLogLevel": "INFO"}
    function = deployed(tmp_path / "code", code, LoggingConfig=configuration)
    environment = Environment(function, Site("", tmp_path / "environments"))
    log = environment.invoke(b"{}", "r-1").log
    environment.close()
    started, seen, failed, report = map(json.loads, log)
    assert (started["type"], started["record"]["requestId"]) == ("platform.start", "r-1")
    assert (seen["message"], seen["requestId"]) == ("seen", "r-1")
    assert (failed["level"], failed["errorType"]) == ("ERROR", "KeyError")
    assert report["type"] == "platform.report"
    assert report["record"]["status"] == "error"
    assert {"durationMs", "initDurationMs", "maxMemoryUsedMB"} <= set(report["record"]["metrics"])
