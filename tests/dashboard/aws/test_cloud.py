"""The connection: which cloud, and what happens where there is none."""

import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dashboard.aws import cloud
from dashboard.aws.cloud import connect
from workflow.errors import WorkflowError

INTERPRETER = os.path.realpath(sys.executable)
READY: dict[str, object] = {
    "endpoint_url": "http://127.0.0.1:9",
    "pid": 7,
    "account": "123456789012",
    "region": "eu-west-1",
}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the interpreter that is asked to run ``-m localcloud``; tests write it."""
    path = tmp_path / "python"
    monkeypatch.setattr("dashboard.aws.cloud.sys.executable", str(path))
    return path


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file in which the local cloud says it keeps its access key."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIALOCAL\naws_secret_access_key = secret\n")
    monkeypatch.setitem(READY, "credentials_file", str(file))


def write(program: Path, body: str) -> None:
    program.write_text(f"#!{INTERPRETER}\nimport sys\n{body}")
    program.chmod(0o755)


def saying(line: Mapping[str, object]) -> str:
    return f"print({json.dumps(line)!r}, flush=True)"


def refused(environ: Mapping[str, str]) -> WorkflowError:
    with pytest.raises(WorkflowError) as caught:
        connect(environ)
    return caught.value


def test_the_local_cloud_is_the_one_that_says_it_is_ready(program: Path) -> None:
    write(program, saying(READY))

    found = connect({})

    assert found.cloud == cloud.Cloud(
        name="Local cloud",
        account="123456789012",
        region="eu-west-1",
        region_source="the local cloud",
        endpoint_url="http://127.0.0.1:9",
        pid=7,
        credentials_file=str(program.with_name("credentials")),
    )
    assert found.settings.bucket == "scones-unlimited-dev-123456789012-eu-west-1"


def test_every_client_reaches_the_local_cloud_whatever_the_environment_says(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-user")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-user")
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    write(program, saying(READY))

    found = connect({})

    for client in (found.client("s3"), found.session.client("lambda")):
        assert client.meta.endpoint_url == "http://127.0.0.1:9"
        assert client.meta.region_name == "eu-west-1"
    credentials = found.session.get_credentials()
    assert credentials is not None
    assert (credentials.access_key, credentials.secret_key) == ("AKIALOCAL", "secret")
    assert found.client("s3") is found.client("s3")


def test_the_directory_and_the_port_are_handed_on(program: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    write(program, f"open({str(said)!r}, 'w').write(' '.join(sys.argv[1:]))\n{saying(READY)}")

    connect({"SCONES_LOCALCLOUD_DIR": "/data/cloud", "SCONES_LOCALCLOUD_PORT": "4321"})

    assert said.read_text() == "-m localcloud --dir /data/cloud --port 4321"


PORT_TAKEN = {"code": "PortTaken", "message": "Port 4577 is taken.", "remedy": "Give another."}


def test_where_its_own_port_is_taken_any_other_will_do(program: Path) -> None:
    write(
        program,
        f"if '--port' in sys.argv:\n    {saying({**READY, 'pid': 8})}\n"
        f"else:\n    print({json.dumps(PORT_TAKEN)!r}, file=sys.stderr)\n    sys.exit(2)",
    )

    assert connect({}).cloud.pid == 8


def test_a_port_that_was_asked_for_and_is_taken_is_said_to_be(program: Path) -> None:
    write(program, f"print({json.dumps(PORT_TAKEN)!r}, file=sys.stderr)\nsys.exit(2)")

    error = refused({"SCONES_LOCALCLOUD_PORT": "4577"})

    assert (error.code, error.message, error.remedy) == tuple(PORT_TAKEN.values())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.exit(1)", "It said nothing."),
        ("sys.exit('Traceback ...\\nImportError: no moto')", "ImportError: no moto"),
        ("print('[1]', file=sys.stderr)", "[1]"),
    ],
)
def test_a_local_cloud_that_dies_says_its_last_line(program: Path, body: str, said: str) -> None:
    write(program, body)

    error = refused({})

    assert error.code == "LocalCloudFailed"
    assert said in error.message
    assert "python -m localcloud" in error.remedy


def test_a_local_cloud_that_never_gets_ready_is_given_up(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "START_SECONDS", 0.2)
    write(program, "import time; time.sleep(60)")

    assert refused({}).code == "LocalCloudFailed"


def test_it_is_alive_while_something_listens(program: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        write(program, saying({**READY, "endpoint_url": url}))
        found = connect({})
        assert found.alive()

    assert not found.alive()


def test_an_unknown_cloud_is_refused() -> None:
    assert refused({"SCONES_CLOUD": "azure"}).code == "SettingInvalid"


def test_aws_is_asked_who_one_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from moto import mock_aws  # noqa: PLC0415 - a second to import

    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        found = connect({"SCONES_CLOUD": "aws", "AWS_REGION": "eu-west-1"})

    assert found.cloud == cloud.Cloud(
        name="AWS", account="123456789012", region="eu-west-1", region_source="AWS_REGION"
    )
    assert found.client("s3").meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"
    assert found.alive()


def test_credentials_that_somebody_replaces_need_another_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from moto import mock_aws  # noqa: PLC0415 - a second to import

    file = tmp_path / "shared"
    keys = "[default]\naws_access_key_id = {0}\naws_secret_access_key = {0}\n"
    file.write_text(keys.format("expired"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    environ = {"SCONES_CLOUD": "aws", "AWS_REGION": "eu-west-1"}
    with mock_aws(config={"core": {"mock_credentials": False}}):
        found = connect(environ)
        assert found.alive()
        file.write_text(keys.format("renewed"))
        os.utime(file, ns=(1, 1))  # a clock may tick too slowly for two writes
        assert not found.alive()
        again = connect(environ)

    assert again.alive()
    assert again.session.get_credentials().access_key == "renewed"  # type: ignore[union-attr]


def test_without_credentials_aws_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    error = refused({"SCONES_CLOUD": "aws", "AWS_REGION": "eu-west-1"})

    assert error.code == "NoCredentialsError"
    assert "aws sso login" in error.remedy


def test_a_profile_that_does_not_exist_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")

    assert refused({"SCONES_CLOUD": "aws"}).code == "ProfileNotFound"


def test_no_region_on_aws_is_refused_and_never_guessed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)

    error = refused({"SCONES_CLOUD": "aws"})

    assert error.code == "RegionMissing"
    assert "AWS_REGION" in error.remedy
