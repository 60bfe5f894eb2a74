"""The access key of a local cloud: made once, kept to oneself, different for every role."""

import subprocess

import pytest
from botocore.configloader import load_config

from localcloud import credentials
from localcloud.credentials import Credentials
from workflow.errors import WorkflowError

KEYS = Credentials("AKIAEXAMPLE", "it's a secret")
LINE = {"endpoint_url": "http://127.0.0.1:4577", "region": "eu-west-1"}


def test_it_is_made_once_and_nobody_else_can_read_it(tmp_path):
    made = credentials.load_or_create(tmp_path)
    file = tmp_path / credentials.FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)  # a copy, a backup
    assert credentials.load_or_create(tmp_path) == made
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [credentials.FILE_NAME]


def test_two_clouds_have_different_keys(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = (
        credentials.load_or_create(tmp_path / "a"),
        credentials.load_or_create(tmp_path / "b"),
    )
    assert one.access_key_id != other.access_key_id
    assert one.secret_access_key != other.secret_access_key


def test_botocore_reads_the_file(tmp_path):
    made = credentials.load_or_create(tmp_path)
    profile = load_config(str(tmp_path / credentials.FILE_NAME))["profiles"]["default"]
    assert profile["aws_access_key_id"] == made.access_key_id
    assert profile["aws_secret_access_key"] == made.secret_access_key


@pytest.mark.parametrize("text", ["", "[default]\n", "no file of AWS's", "[other]\nx = y\n"])
def test_a_file_without_a_key_is_named_and_left_alone(tmp_path, text):
    file = tmp_path / credentials.FILE_NAME
    file.write_text(text)
    with pytest.raises(WorkflowError) as caught:
        credentials.load_or_create(tmp_path)
    assert caught.value.code == "CloudCorrupt"
    assert str(file) in caught.value.message
    assert file.read_text() == text


def test_a_secret_is_never_shown():
    assert KEYS.secret_access_key not in repr(KEYS)


def test_the_key_of_a_role_tells_its_role_and_no_other_secret():
    one, other = KEYS.of_role("one"), KEYS.of_role("other")
    assert credentials.role_of(one.access_key_id) == "one"
    assert credentials.role_of(KEYS.access_key_id) is None
    assert len({KEYS.secret_access_key, one.secret_access_key, other.secret_access_key}) == 3
    assert KEYS.secret_of(one.access_key_id) == one.secret_access_key
    assert KEYS.secret_of(KEYS.access_key_id) == KEYS.secret_access_key
    assert KEYS.secret_of("AKIAOTHER") is None


def test_a_shell_understands_the_exports():
    said = credentials.export_commands(LINE, KEYS)
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    shown = "; ".join(f'echo "${name}"' for name in (*names, "AWS_PROFILE"))
    script = f"export AWS_PROFILE=work AWS_SESSION_TOKEN=x\n{said}\n{shown}"
    found = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [
        "http://127.0.0.1:4577", "AKIAEXAMPLE", "it's a secret", "eu-west-1", "",
    ]  # fmt: skip
