"""A full disk is named; what is there is read and deleted, and room is enough to go on."""

import errno
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.s3.objects import Object, Objects
from localcloud.store import Store
from tests.conftest import LocalCloud
from tests.nightly import often
from workflow.errors import WorkflowError

OBJECTS = often(40, 4)


def write(objects: Objects, key: str, body: bytes) -> None:
    file = objects.write_file(body)
    objects.put_version(Object(bucket="b", key=key, size=len(body), file=file, etag="e"))


def fill(objects: Objects, turn: int) -> list[str]:
    """Write objects, large and then small, until there is no room; gives their keys."""
    keys, codes = [], []
    for size in (200_000, 4_000, 1):
        for number in range(10_000):
            try:
                write(objects, f"{turn}-{size}-{number}", b"." * size)
            except WorkflowError as error:
                codes.append(error.code)
                break
            keys.append(f"{turn}-{size}-{number}")
    assert codes == ["DiskFull"] * 3
    return keys


def keys_of(objects: Objects) -> list[str]:
    return sorted(found.key for found in objects.list_versions("b", ""))


def test_what_is_on_a_full_disk_is_read_deleted_and_found_again(small_disk: Path) -> None:
    store = Store(small_disk / "cloud")
    objects = Objects(store)
    keys = fill(objects, -1)
    for key in keys:
        found = objects.find_version("b", key)
        assert found is not None
        assert len(objects.read_bytes(found)) == found.size
    for turn in range(OBJECTS):
        doomed = keys[0]
        found = objects.find_version("b", doomed)
        assert found is not None
        objects.remove_version(found)
        keys.remove(doomed)
        if turn % 2:
            store.close()
            store = Store(small_disk / "cloud")
            objects = Objects(store)
            store.disk.refill_ballast()  # as the process does once it has started
        assert keys_of(objects) == sorted(keys)
        keys += fill(objects, turn)
    for key in keys[: len(keys) // 2]:
        found = objects.find_version("b", key)
        assert found is not None
        objects.remove_version(found)
    write(objects, "new", b"." * 100_000)
    new = objects.find_version("b", "new")
    assert new is not None
    assert objects.read_bytes(new) == b"." * 100_000
    store.close()
    print(f"{OBJECTS} deletions on a full disk")  # noqa: T201 - the soak counts its tries


def test_a_file_without_room_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    objects = Objects(store)
    write(objects, "kept", b"kept")
    written = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        written(self, data[:1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        for keep in (objects.write_file, store.put_blob):
            with pytest.raises(WorkflowError) as raised:
                keep(b"new")
            assert raised.value.code == "DiskFull"
    files = [path for name in ("objects", "blobs") for path in (tmp_path / name).glob("*/*")]
    assert len(files) == 1
    assert store.read_blob(store.put_blob(b"new")) == b"new"


class DeletingDatabase:
    """A connection that notes, at each deletion, whether the reserve is still there."""

    def __init__(self, database: Any, ballast: Path) -> None:
        self._database = database
        self._ballast = ballast
        self.reserves: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def execute(self, statement: str, *values: Any) -> Any:
        if statement.startswith("DELETE"):
            self.reserves.append(self._ballast.exists())
        return self._database.execute(statement, *values)


def test_an_exhausted_quota_frees_the_reserve_though_the_disk_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    ballast = tmp_path / "ballast"
    table = store.load_table("kind")
    table["old"], table["older"] = {"n": 1}, {"n": 0}
    database = DeletingDatabase(store._db, ballast)
    monkeypatch.setattr(store, "_db", database)

    def exhausted(self: Path, data: bytes) -> int:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", exhausted)
        assert store.disk.is_full(sqlite3.OperationalError("disk I/O error"))
        with pytest.raises(WorkflowError, match="The disk is full"):
            store.put_blob(b"new")
        del table["old"]
    del table["older"]
    store.execute("DELETE FROM records WHERE kind = 'none'")

    assert database.reserves == [False, False, True]
    assert ballast.stat().st_size == 1 << 20
    assert not (tmp_path / "probe").exists()


class FullDatabase:
    """A connection whose writes have no room."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def execute(self, statement: str, *values: Any) -> Any:
        if statement.startswith(("INSERT", "COMMIT")):
            raise sqlite3.OperationalError("database or disk is full")
        return self._database.execute(statement, *values)


def test_a_record_without_room_is_named_and_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    table = store.load_table("kind")
    table["old"] = {"n": 1}
    with monkeypatch.context() as patched:
        patched.setattr(store, "_db", FullDatabase(store._db))
        with pytest.raises(WorkflowError) as raised:
            table["new"] = {"n": 2}
        assert raised.value.code == "DiskFull"
        with pytest.raises(WorkflowError), store.transaction():
            store.execute("DELETE FROM records")
    assert dict(table) == dict(store.load_table("kind")) == {"old": {"n": 1}}
    table["new"] = {"n": 3}
    assert store.load_table("kind")["new"] == {"n": 3}


@pytest.mark.cloud
def test_clients_learn_of_a_full_disk_and_the_cloud_starts_again_on_it(small_disk: Path) -> None:
    directory = small_disk / "cloud"
    with serving(directory) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="bucket")
        refusals = []
        for size in (500_000, 4_000, 1):
            for number in range(10_000):
                try:
                    s3.put_object(Bucket="bucket", Key=f"{size}-{number}", Body=b"." * size)
                except ClientError as error:
                    refusals.append(error.response)
                    break
        assert [one["Error"]["Code"] for one in refusals] == ["LocalCloud.DiskFull"] * 3
        assert refusals[0]["ResponseMetadata"]["HTTPStatusCode"] == 507
        assert refusals[0]["ResponseMetadata"]["RetryAttempts"] == 0
        assert s3.get_object(Bucket="bucket", Key="500000-0")["Body"].read() == b"." * 500_000
        s3.delete_object(Bucket="bucket", Key="4000-0")
    with serving(directory) as cloud:
        s3 = cloud.client("s3")
        assert s3.get_object(Bucket="bucket", Key="500000-0")["Body"].read() == b"." * 500_000
        for number in range(4):
            s3.delete_object(Bucket="bucket", Key=f"500000-{number}")
        s3.put_object(Bucket="bucket", Key="new", Body=b"." * 500_000)
    said = (small_disk.parent / "said").read_text()
    assert "The disk is full" in said
    assert "Traceback" not in said


@contextmanager
def serving(directory: Path) -> Iterator[LocalCloud]:
    """A local cloud of the test's own; what it says is added to a file beside its disk."""
    command = [sys.executable, "-m", "localcloud", "--dir", str(directory), "--port", "0"]
    with (
        (directory.parent.parent / "said").open("a") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        place = (line["endpoint_url"], line["account"], line["region"])
        cloud = LocalCloud(*place, directory, process)
        try:
            yield cloud
        finally:
            for client in cloud.clients.values():
                client.close()
            process.terminate()
            process.wait(30)
