"""Damage to the local cloud's directory is named with a remedy, and nothing in it is changed."""

import hashlib
import io
import sqlite3
import zlib
from pathlib import Path

import pytest

from localcloud import __main__ as command
from localcloud import credentials
from localcloud.errors import AwsError
from localcloud.journal import Journal
from localcloud.s3.objects import Object, Objects
from localcloud.states.executions import Execution, Executions
from localcloud.store import Store
from localcloud.wire import Environ, Response
from tests.damage import DAMAGES
from workflow.errors import WorkflowError


def request() -> Environ:
    body = b"Action=CreateRole&RoleName=r"
    return {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": io.BytesIO(body)}


def journal(store: Store, asked: list[Environ]) -> Journal:
    def ask(environ: Environ) -> Response:
        asked.append(environ)
        assert environ["REQUEST_METHOD"] == "POST"
        return Response(200, {})

    return Journal(store, ask)


@pytest.mark.parametrize(
    "damage",
    [
        "environ = 'no json'",
        "environ = '[1]'",
        "environ = '{}'",
        "environ = NULL",
        "environ = substr(environ, 1, 9)",
        "environ = CAST(x'ff00fe' AS TEXT)",
        "body = NULL",
        "body = 'text'",
        "time = 'then'",
        "time = NULL",
        "time = 1e300",
        "seed = 'many'",
        "seed = NULL",
    ],
)
def test_a_damaged_row_of_the_journal_is_named(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    asked: list[Environ] = []
    written = journal(store, asked)
    written.answer_request(request())
    written.answer_request(request())
    store.execute(f"UPDATE journal SET {damage} WHERE id = 2")  # noqa: S608 - texts from above
    before = store.execute("SELECT count(*) FROM journal")
    with pytest.raises(WorkflowError) as raised:
        written.replay()
    assert raised.value.code == "CloudCorrupt"
    assert "cloud.db" in raised.value.message
    assert "aside" in raised.value.remedy
    assert store.execute("SELECT count(*) FROM journal") == before


def test_a_journal_that_is_whole_is_replayed(tmp_path: Path) -> None:
    asked: list[Environ] = []
    written = journal(Store(tmp_path), asked)
    written.answer_request(request())
    written.replay()
    assert len(asked) == 2
    assert asked[1]["wsgi.input"].getvalue() == b"Action=CreateRole&RoleName=r"


@pytest.mark.parametrize("kept", ["objects", "blobs"])
@pytest.mark.parametrize("left", [None, b""])
def test_bytes_without_their_database_are_not_taken_for_a_new_cloud(
    tmp_path: Path, kept: str, left: bytes | None
) -> None:
    store = Store(tmp_path)
    file = store.blob_path(store.put_blob(b"kept"))
    if kept == "objects":
        file.unlink()
        objects = Objects(store)
        file = objects.file_path(objects.write_file(b"kept"))
    store.close()
    for path in tmp_path.glob("cloud.db*"):
        path.unlink()
    if left is not None:
        (tmp_path / "cloud.db").write_bytes(left)
    with pytest.raises(WorkflowError) as raised:
        Store(tmp_path)
    assert raised.value.code == "CloudCorrupt"
    assert "cloud.db" in raised.value.message
    assert "move the whole" in raised.value.remedy
    assert file.read_bytes() == b"kept"


def test_a_file_of_the_desktop_is_no_object(tmp_path: Path) -> None:
    for name in ("objects/.DS_Store", "objects/ab/.DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"Bud1")
    Objects(Store(tmp_path))


def test_nobody_else_can_read_the_state(tmp_path: Path) -> None:
    for name in ("objects", "blobs"):
        (tmp_path / name).mkdir(mode=0o755)
    with sqlite3.connect(tmp_path / "cloud.db") as db:
        db.execute("CREATE TABLE old (n)")
    db.close()
    (tmp_path / "cloud.db").chmod(0o644)
    store = Store(tmp_path)
    Objects(store)
    store.put_blob(b"secret")
    open_to_others = [path.name for path in tmp_path.iterdir() if path.stat().st_mode & 0o077]
    assert open_to_others == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_named_and_the_others_are_read(tmp_path: Path, damage: str) -> None:
    objects = Objects(Store(tmp_path))
    for key in ("a", "b"):
        body = key.encode() * 100
        etag = hashlib.md5(body).hexdigest()  # noqa: S324 - that is what an ETag is
        file = objects.write_file(body)
        objects.put_version(Object(bucket="b", key=key, size=100, etag=etag, file=file))
    hurt, whole = objects.find_version("b", "a"), objects.find_version("b", "b")
    assert hurt is not None
    assert whole is not None
    DAMAGES[damage](objects.file_path(hurt.file))

    with pytest.raises((AwsError, OSError)) as refused:
        objects.read_bytes(hurt)

    if damage != "unreadable":
        assert "s3://b/a are damaged" in str(refused.value)
    assert objects.read_bytes(whole) == b"b" * 100
    objects.put_version(
        Object(bucket="b", key="a", size=1, etag="e", file=objects.write_file(b"a"))
    )
    again = objects.find_version("b", "a")
    assert again is not None
    assert objects.read_bytes(again) == b"a"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_blob_is_named(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    digest, other = store.put_blob(b"a definition"), store.put_blob(b"another")
    DAMAGES[damage](store.blob_path(digest))

    with pytest.raises(WorkflowError) as refused:
        store.read_blob(digest)

    assert refused.value.code == "CloudCorrupt"
    assert digest in refused.value.message
    assert store.read_blob(other) == b"another"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["credentials", "cloud.db"])
def test_a_damaged_file_that_the_cloud_starts_from_is_named(
    tmp_path: Path, name: str, damage: str
) -> None:
    store = Store(tmp_path)
    store.put_blob(b"kept")
    store.execute_many("INSERT INTO records VALUES (?, ?, ?)", [("kind", "key", "{}")] * 1)
    credentials.load_or_create(tmp_path)
    store.close()
    DAMAGES[damage](tmp_path / name)
    problems = []
    try:
        Store(tmp_path).load_table("kind")
        credentials.load_or_create(tmp_path)
    except WorkflowError as error:
        problems.append(error)

    assert all(error.remedy and name in error.message for error in problems)
    if damage in ("empty", "garbage"):
        assert problems


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_address_of_the_cloud_is_taken_for_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "endpoint.json"
    path.write_text('["no", "record"]')
    assert command._find_running(tmp_path) is None
    DAMAGES[damage](path)
    assert command._find_running(tmp_path) is None


DAMAGED_BODIES = ["no json", "[1]", "", None, b"\x00\xff", '{"input": "']


def ended(name: str) -> Execution:
    body = {"input": "{}", "machine_type": "STANDARD"}
    return {"arn": f"arn:{name}", "machine": "m", "name": name, "status": "SUCCEEDED",
            "start": 1.0, "stop": 2.0, "redrives": 0, "body": body}  # fmt: skip


@pytest.mark.parametrize("body", DAMAGED_BODIES)
def test_a_damaged_execution_is_named_and_hides_no_other(tmp_path: Path, body: object) -> None:
    store = Store(tmp_path)
    executions = Executions(store)
    for name in ("a", "b"):
        executions.add_ended(ended(name), [{"id": 1, "type": "ExecutionStarted"}])
    store.execute("UPDATE executions SET body = ? WHERE arn = 'arn:a'", (body,))

    with pytest.raises(WorkflowError, match="the execution arn:a is damaged"):
        executions.get("arn:a")

    assert executions.get("arn:b")["body"]["input"] == "{}"
    found, _ = executions.list_page("machine", "m", {}, 10, None)
    assert [one["name"] for one in found] == ["a", "b"]


@pytest.mark.parametrize("line", ["no json", "[1]", "{"])
def test_a_damaged_history_is_named_and_hides_no_other(tmp_path: Path, line: str) -> None:
    store = Store(tmp_path)
    executions = Executions(store)
    for name in ("a", "b"):
        executions.add_ended(ended(name), [{"id": 1, "type": "ExecutionStarted"}])
    packed = zlib.compress(line.encode())
    store.execute("UPDATE ended_history SET body = ? WHERE arn = 'arn:a'", (packed,))

    with pytest.raises(WorkflowError, match="the history of arn:a is damaged"):
        executions.read_events("arn:a", 0, 10, reverse=False)

    assert executions.read_events("arn:b", 0, 10, reverse=False)[0]["type"] == "ExecutionStarted"
