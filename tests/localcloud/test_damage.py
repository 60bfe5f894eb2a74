"""Damage to the local cloud's directory is named with a remedy, and nothing in it is changed."""

import io
import sqlite3
from pathlib import Path

import pytest

from localcloud.journal import Journal
from localcloud.s3.objects import Objects
from localcloud.store import Store
from localcloud.wire import Environ, Response
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
    written.answer(request())
    written.answer(request())
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
    written.answer(request())
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
        file = objects.path(objects.write_file(b"kept"))
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
