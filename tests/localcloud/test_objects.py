"""Objects: a reader sees the old bytes or the new, beside an overwrite and after a kill."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from localcloud.errors import AwsError
from localcloud.s3.objects import Object, Objects
from localcloud.store import Store
from tests.nightly import often

KILLS = often(200, 3)
SIZE = 50_000

OVERWRITE = """
import sys
from pathlib import Path
from localcloud.s3.objects import Object, Objects
from localcloud.store import Store
objects = Objects(Store(Path(sys.argv[1])))
number = 0
while True:
    number += 1
    body = (b"%d;" % number).ljust(int(sys.argv[2]), b".")
    objects.put_version(Object(bucket="b", key="k", size=len(body), file=objects.write_file(body)))
    print(number, flush=True)
"""


def write(objects: Objects, body: bytes, **options: Any) -> Object:
    stored = Object(
        bucket="b", key="k", size=len(body), file=objects.write_file(body), etag="e", **options
    )
    objects.put_version(stored)
    return stored


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(Store(tmp_path))


def files(objects: Objects) -> list[Path]:
    return [path for path in objects.file_path("").rglob("*") if path.is_file()]


def test_bytes_stay_readable_while_their_object_is_overwritten_and_deleted(
    objects: Objects,
) -> None:
    write(objects, b"old")

    with objects.open_version("b", "k") as found, objects.open_version("b", "k"):
        assert found is not None
        objects.remove_version(write(objects, b"newer"))
        assert objects.read_bytes(found) == b"old"
        assert objects.find_version("b", "k") is None

    assert files(objects) == []


def test_a_thousand_reads_beside_an_overwrite_see_one_whole_body_each(objects: Objects) -> None:
    bodies = [letter * SIZE for letter in (b"a", b"b", b"c")]
    write(objects, bodies[0])
    done = threading.Event()

    def overwrite() -> None:
        while not done.is_set():
            for body in bodies:
                write(objects, body)

    writer = threading.Thread(target=overwrite)
    writer.start()
    seen: list[bytes | None] = []
    try:
        for _ in range(1_000):
            assert [o.key for o in objects.list_keys("b", "", "", "") if isinstance(o, Object)] == [
                "k"
            ]
            with objects.open_version("b", "k") as found:
                seen.append(objects.read_bytes(found) if found is not None else None)
    finally:
        done.set()
        writer.join()

    assert set(seen) <= set(bodies)
    assert len(files(objects)) == 1


@pytest.mark.process
def test_a_kill_during_an_overwrite_leaves_the_old_bytes_or_the_new(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - when to kill
    for _ in range(KILLS):
        command = [sys.executable, "-c", OVERWRITE, str(tmp_path), str(SIZE)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            acknowledged = int(process.stdout.readline())
            time.sleep(chance.random() / 20)
            process.send_signal(signal.SIGKILL)
            acknowledged = int((process.stdout.read().splitlines() or [b"%d" % acknowledged])[-1])
            process.wait()
        store = Store(tmp_path)
        objects = Objects(store)

        found = objects.find_version("b", "k")
        assert found is not None
        body = objects.read_bytes(found)
        assert len(body) == SIZE
        assert acknowledged <= int(body.partition(b";")[0]) <= acknowledged + 1
        store.close()
    print(f"{KILLS} kills during an overwrite")  # noqa: T201 - the soak counts its tries


@pytest.mark.parametrize("left", [None, b"", b"ol"])
def test_a_damaged_file_is_named_instead_of_answered_with(
    objects: Objects, left: bytes | None
) -> None:
    stored = write(objects, b"old")
    path = objects.file_path(stored.file)
    path.unlink() if left is None else path.write_bytes(left)

    with pytest.raises(AwsError, match="ObjectDamaged") as caught:
        objects.read_bytes(stored)

    assert caught.value.status == 507
    assert "s3://b/k" in caught.value.message


def test_a_version_that_is_removed_gives_way_to_the_one_before(objects: Objects) -> None:
    older = write(objects, b"1", version="v1")
    newer = write(objects, b"2", version="v2")

    objects.remove_version(newer)

    found = objects.find_version("b", "k")
    assert found is not None
    assert (found.version, objects.read_bytes(found)) == (older.version, b"1")
