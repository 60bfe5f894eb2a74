"""The store, as one process and as many."""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.shared import store as module
from dashboard.shared.store import SegmentStore
from tests.nightly import often
from workflow.errors import WorkflowError

KILLS = often(50, 2)
FLIPS = often(2000, 20)
TABLES: dict[str, dict[str, Any]] = {
    "marks": {"key": pl.String, "n": pl.Int64},
    "notes": {"text": pl.String},
}


def compact(store: SegmentStore) -> None:
    """Merge all segments into one, as commits merge neighbours when they add up."""
    with store._lock_for_writing():
        manifest = store._without_damage(store._files.is_sound)
        if len(manifest.segments) > 1:
            store._publish(manifest, [store._files.merge(manifest.segments)])


@pytest.fixture
def store(tmp_path: Path) -> SegmentStore:
    return SegmentStore(tmp_path / "store", TABLES)


def marks(*numbers: int, key: str = "k") -> pl.DataFrame:
    return pl.DataFrame({"n": numbers, "key": [key] * len(numbers)})


def numbers_in(store: SegmentStore) -> list[int]:
    return store.scan("marks").collect()["n"].to_list()


def files_of(store: SegmentStore, table: str = "marks") -> list[Path]:
    return sorted(store.root.glob(f"segments/*/{table}.parquet"))


def test_an_empty_store_has_its_columns_and_no_directory(store: SegmentStore) -> None:
    assert store.scan("marks").collect().schema == pl.Schema(TABLES["marks"])
    assert store.count_rows("marks") == 0
    assert not store.root.exists()


def test_rows_come_back_in_the_order_they_were_appended(store: SegmentStore) -> None:
    for n in range(40):
        store.append("marks", marks(n))
    assert numbers_in(store) == list(range(40))
    assert store.count_rows("marks") == 40
    assert len(files_of(SegmentStore(store.root, TABLES))) > 1


def test_a_commit_is_seen_in_all_its_tables(store: SegmentStore) -> None:
    store.commit({"marks": marks(1), "notes": pl.DataFrame({"text": ["a", "b"]})})
    assert (store.count_rows("marks"), store.count_rows("notes")) == (1, 2)


def test_nothing_to_append_leaves_no_segment(store: SegmentStore) -> None:
    store.append("marks", marks())
    assert files_of(store) == []


def test_neighbours_are_merged_as_they_add_up(store: SegmentStore) -> None:
    for n in range(module.MERGE_AT * 3):
        store.append("marks", marks(n))
    live = store._load_manifest().segments
    assert len(live) < module.MERGE_AT
    assert numbers_in(store) == list(range(module.MERGE_AT * 3))


def test_large_segments_are_left_as_they_are(
    store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SIZE_CLASSES", (2, 4))
    store.append("marks", marks(*range(10)))
    first = store._load_manifest().segments[0]
    for n in range(module.MERGE_AT):
        store.append("marks", marks(n))
    live = store._load_manifest().segments
    assert live[0] == first
    assert len(live) == 2


def test_small_segments_do_not_have_a_few_larger_ones_rewritten(
    store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SIZE_CLASSES", (3, 100))
    large = module.MERGE_AT - 1
    for n in range(large):
        store.append("marks", marks(*range(5), key=f"large {n}"))
    before = store._load_manifest().segments
    for n in range(large):
        store.append("marks", marks(n))
    assert store._load_manifest().segments[:large] == before
    store.append("marks", marks(*range(5), key="one more"))
    assert len(store._load_manifest().segments) == 1
    assert store.count_rows("marks") == 5 * (large + 1) + large


def test_compacting_leaves_one_segment_and_the_same_rows(store: SegmentStore) -> None:
    for n in range(3):
        store.commit({"marks": marks(n), "notes": pl.DataFrame({"text": [str(n)]})})
    compact(store)
    assert len(store._load_manifest().segments) == 1
    assert numbers_in(store) == [0, 1, 2]
    compact(store)
    assert store.scan("notes").collect()["text"].to_list() == ["0", "1", "2"]


def test_the_version_of_a_table_changes_with_its_rows(store: SegmentStore) -> None:
    seen = [store.table_version("marks")]
    store.append("marks", marks(1, key="a"))
    seen.append(store.table_version("marks"))
    store.append("marks", marks(2, key="b"))
    seen.append(store.table_version("marks"))
    store.commit({}, replacing={"marks": ("key", ["a"])})
    seen.append(store.table_version("marks"))
    store.commit({"marks": marks(3, key="b")}, replacing={"marks": ("key", ["b"])})
    seen.append(store.table_version("marks"))
    for file in files_of(store):
        file.unlink()
    store.scan("marks")
    seen.append(store.table_version("marks"))
    assert seen[0] == ""
    assert len(set(seen)) == len(seen)


def test_commits_to_other_tables_and_merges_leave_the_version_of_a_table(
    store: SegmentStore,
) -> None:
    for n in range(2):
        store.append("marks", marks(n))
    before = store.table_version("marks")
    for n in range(2 * module.MERGE_AT):
        store.append("notes", pl.DataFrame({"text": [str(n)]}))
    store.append("marks", marks())
    store.commit({}, replacing={"marks": ("key", ["none has it"])})
    compact(store)
    store.forget_damage()
    assert len(store._load_manifest().segments) == 1
    assert store.table_version("marks") == before
    assert SegmentStore(store.root, TABLES).table_version("marks") == before


def test_a_store_made_anew_has_no_version_of_the_one_before(store: SegmentStore) -> None:
    store.append("marks", marks(1))
    before = store.table_version("marks")
    shutil.rmtree(store.root)
    assert store.table_version("marks") == ""
    store.append("marks", marks(2))
    assert store.table_version("marks") != before


def test_a_manifest_from_before_there_were_versions_is_read(store: SegmentStore) -> None:
    store.append("marks", marks(1))
    path = store.root / "manifest.json"
    old = json.loads(path.read_text())
    del old["versions"]
    path.write_text(json.dumps(old))
    opened = SegmentStore(store.root, TABLES)
    before = opened.table_version("marks")
    opened.append("notes", pl.DataFrame({"text": ["a"]}))
    compact(opened)
    assert before
    assert opened.table_version("marks") == before
    assert opened.table_version("notes")
    opened.append("marks", marks(2))
    assert opened.table_version("marks") != before
    assert numbers_in(opened) == [1, 2]


def test_a_query_made_before_a_merge_can_still_be_read(store: SegmentStore) -> None:
    store.append("marks", marks(1))
    store.append("marks", marks(2))
    query = store.scan("marks")
    compact(store)
    assert query.collect()["n"].to_list() == [1, 2]


def test_merged_segments_are_deleted_after_a_while(
    store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append("marks", marks(1))
    store.append("marks", marks(2))
    compact(store)
    assert len(files_of(store)) == 3
    monkeypatch.setattr(module, "GRACE_SECONDS", 0)
    store.append("marks", marks(3))
    assert len(files_of(store)) == 2


def test_rows_can_be_replaced_in_the_step_that_adds_new_ones(store: SegmentStore) -> None:
    store.append("marks", marks(1, 2, key="a"))
    store.append("marks", pl.concat([marks(3, key="a"), marks(4, key="b")]))
    store.append("marks", marks(5, key="c"))
    untouched = store._load_manifest().segments[2]
    store.commit({"marks": marks(6, key="a")}, replacing={"marks": ("key", ["a"])})
    assert numbers_in(store) == [4, 5, 6]
    assert untouched in store._load_manifest().segments
    store.commit({}, replacing={"notes": ("text", ["x"]), "marks": ("key", [])})
    assert numbers_in(store) == [4, 5, 6]


def test_a_column_added_later_is_null_in_older_rows(store: SegmentStore) -> None:
    store.append("marks", marks(1))
    grown = SegmentStore(store.root, {"marks": {**TABLES["marks"], "why": pl.String}})
    assert grown.scan("marks").collect()["why"].to_list() == [None]
    grown.append("marks", marks(2).with_columns(why=pl.lit("new")))
    compact(grown)
    assert grown.scan("marks").collect()["why"].to_list() == [None, "new"]
    assert numbers_in(SegmentStore(store.root, TABLES)) == [1, 2]


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_segment_is_set_aside_and_named(store: SegmentStore, damage: str) -> None:
    store.append("marks", marks(1))
    (victim,) = files_of(store)
    store.append("marks", marks(2))
    if damage == "cut":
        victim.write_bytes(victim.read_bytes()[:-5])
    else:
        victim.unlink()
    assert numbers_in(store) == [2]
    assert store.damaged == (victim.parent.name,)
    store.append("marks", marks(3))
    assert store.damaged == (victim.parent.name,)
    store.forget_damage()
    assert store.damaged == ()
    assert numbers_in(store) == [2, 3]


def test_a_segment_with_wrong_bytes_is_found_by_a_check(store: SegmentStore) -> None:
    store.append("marks", marks(1))
    (victim,) = files_of(store)
    store.append("marks", marks(2))
    assert store.check() == ()
    victim.write_bytes(bytes(victim.stat().st_size))
    assert store.check() == (victim.parent.name,)
    assert numbers_in(store) == [2]


def damage_of(path: Path, place: float) -> None:
    """Flip one bit of a file, 0 being its first byte and 1 its last."""
    data = bytearray(path.read_bytes())
    data[round(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("opened_before", [True, False])
@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_one_wrong_byte_is_found_kept_and_costs_no_other_segment(
    store: SegmentStore, place: float, *, opened_before: bool
) -> None:
    store.append("marks", marks(1))
    (victim,) = files_of(store)
    store.append("marks", marks(2))
    reader = store if opened_before else SegmentStore(store.root, TABLES)
    if opened_before:
        assert numbers_in(reader) == [1, 2]
    damage_of(victim, place)
    wrong = victim.read_bytes()
    assert numbers_in(reader) == [2]
    assert reader.damaged == (victim.parent.name,)
    assert (store.root / "damaged" / victim.parent.name / victim.name).read_bytes() == wrong
    assert reader.problem is not None
    assert reader.problem.code == "StoreDamaged"
    reader.append("marks", marks(3))
    reader.forget_damage()
    assert reader.problem is None
    assert numbers_in(reader) == [2, 3]


def test_every_wrong_byte_is_found(store: SegmentStore) -> None:
    chance = random.Random(19)  # noqa: S311 - where to flip
    for turn in range(FLIPS):
        store.append("marks", marks(turn))
        victim = (
            store.root / "segments" / store._load_manifest().segments[-1].name / "marks.parquet"
        )
        damage_of(victim, chance.random())
        assert numbers_in(store) == []
        assert store.damaged == (victim.parent.name,)
        store.forget_damage()
    print(f"{FLIPS} flipped bytes found")  # noqa: T201 - the soak counts its tries


def test_two_segments_that_changed_places_are_both_set_aside(store: SegmentStore) -> None:
    store.append("marks", marks(1))
    store.append("marks", marks(2))
    store.append("marks", marks(3))
    first, second = (store.root / "segments" / s.name for s in store._load_manifest().segments[:2])
    first.rename(store.root / "between")
    second.rename(first)
    (store.root / "between").rename(second)
    assert numbers_in(store) == [3]
    assert set(store.damaged) == {first.name, second.name}


def test_damage_is_found_before_it_is_merged_or_rewritten(store: SegmentStore) -> None:
    for n in range(module.MERGE_AT - 1):
        store.append("marks", marks(n, key=str(n)))
    damage_of(files_of(store)[0], 0.3)
    lost = files_of(store)[0].parent.name
    store.commit({"marks": marks(100)}, replacing={"marks": ("key", ["none has it"])})
    assert store.damaged == (lost,)
    compact(store)
    assert len(numbers_in(store)) == module.MERGE_AT - 1


def test_a_store_from_before_there_were_checksums_is_read_and_verified(
    store: SegmentStore,
) -> None:
    store.append("marks", marks(1))
    (victim,) = files_of(store)
    store.append("marks", marks(2))
    path = store.root / "manifest.json"
    old = json.loads(path.read_text())
    old["segments"] = [entry[:3] for entry in old["segments"]]
    path.write_text(json.dumps(old))
    assert numbers_in(SegmentStore(store.root, TABLES)) == [1, 2]
    victim.write_bytes(bytes(victim.stat().st_size))
    assert numbers_in(SegmentStore(store.root, TABLES)) == [2]


def test_every_byte_is_on_the_disk_before_the_manifest_names_it(
    store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append("marks", marks(1))
    flushed: set[int] = set()
    fsync, rename = os.fsync, Path.replace

    def flushing(handle: int) -> None:
        flushed.add(os.fstat(handle).st_ino)
        fsync(handle)

    def publishing(self: Path, target: Path) -> Path:
        named = {entry[0] for entry in json.loads(self.read_text())["segments"]}
        new = [file for file in files_of(store) if file.parent.name in named - before]
        assert new
        wanted = {path.stat().st_ino for file in new for path in (file, file.parent)}
        assert flushed >= {*wanted, self.stat().st_ino}
        return rename(self, target)

    before = {segment.name for segment in store._load_manifest().segments}
    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(Path, "replace", publishing)
    store.append("marks", marks(2))
    assert store.root.stat().st_ino in flushed


def test_a_death_between_the_segment_and_the_manifest_leaves_the_rows_before(
    store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append("marks", marks(1))

    def dying(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            store.append("marks", marks(2))
    opened = SegmentStore(store.root, TABLES)
    assert numbers_in(opened) == [1]
    assert opened.damaged == ()
    opened.append("marks", marks(3))
    assert numbers_in(opened) == [1, 3]
    assert len(files_of(opened)) == 2


def test_a_full_disk_is_named_and_leaves_what_was_there(
    store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append("marks", marks(1))

    def full(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("parquet: No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(pl.LazyFrame, "sink_parquet", full)
        with pytest.raises(WorkflowError) as raised:
            store.append("marks", marks(2))
    assert raised.value.code == "StoreUnwritable"
    assert "No space left on device" in raised.value.message
    assert "Free space" in raised.value.remedy
    assert numbers_in(store) == [1]
    assert len(list((store.root / "segments").iterdir())) == 1
    store.append("marks", marks(3))
    assert numbers_in(store) == [1, 3]


def test_a_disk_without_room_is_named_and_the_store_goes_on_once_there_is_some(
    small_disk: Path,
) -> None:
    store = SegmentStore(small_disk / "store", TABLES)
    store.append("marks", marks(1))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    with pytest.raises(WorkflowError) as raised:
        store.append("marks", marks(*range(100_000)))
    assert raised.value.code == "StoreUnwritable"
    assert "No space left on device" in raised.value.message
    assert numbers_in(SegmentStore(store.root, TABLES)) == [1]
    filler.unlink()
    store.append("marks", marks(2))
    assert numbers_in(store) == [1, 2]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        bytes(300),
        b'{"segments": 5}',
        b'{"segments": [["one", {"marks": "many"}, {}]]}',
        b'{"segments": [["one", null, {}]], "retired": {}}',
        b'{"damaged": [1]}',
        None,
    ],
)
def test_a_manifest_that_cannot_be_read_is_set_aside_and_the_store_goes_on(
    store: SegmentStore, content: bytes | None
) -> None:
    store.append("marks", marks(1))
    before = store.table_version("marks")
    path = store.root / "manifest.json"
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    reader = SegmentStore(store.root, TABLES)
    assert numbers_in(reader) == []
    (name,) = reader.damaged
    assert (store.root / "damaged" / name).exists()
    assert reader.problem is not None
    assert "read again" in reader.problem.remedy
    assert reader.table_version("marks") not in ("", before)
    store.append("marks", marks(2))
    assert numbers_in(reader) == [2]
    reader.forget_damage()
    assert store.problem is None


@pytest.mark.parametrize("write", ["append", "clear", "forget_damage", "check"])
def test_whatever_comes_first_sets_a_broken_manifest_aside(store: SegmentStore, write: str) -> None:
    store.append("marks", marks(1))
    (store.root / "manifest.json").write_text("{")
    if write == "append":
        store.append("marks", marks(2))
    else:
        getattr(store, write)()
    assert numbers_in(store) == ([2] if write == "append" else [])
    assert len(list((store.root / "damaged").glob("manifest-*.json"))) == 1


def test_a_directory_that_cannot_be_written_to_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("blocking")
    store = SegmentStore(tmp_path / "file" / "store", TABLES)
    with pytest.raises(WorkflowError) as raised:
        store.append("marks", marks(1))
    assert raised.value.code == "StoreUnwritable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_can_be_read(store: SegmentStore) -> None:
    store.append("marks", marks(1))
    store.root.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert numbers_in(store) == [1]
    with pytest.raises(WorkflowError):
        store.append("marks", marks(2))


def test_a_purpose_is_claimed_by_one_at_a_time(store: SegmentStore) -> None:
    with store.claim_purpose("sync") as first, store.claim_purpose("sync") as second:
        assert (first, second) == (True, False)
    with store.claim_purpose("sync") as again, store.claim_purpose("other") as other:
        assert (again, other) == (True, True)


def test_threads_append_without_losing_a_row(store: SegmentStore) -> None:
    def work(key: str) -> None:
        for n in range(10):
            store.append("marks", marks(n, key=key))

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = store.scan("marks").collect()
    assert rows.height == 40
    for _, group in rows.group_by("key"):
        assert group["n"].to_list() == list(range(10))


APPEND_FOR_EVER = """
import itertools, sys
from pathlib import Path
import polars as pl
from dashboard.shared.store import SegmentStore
store = SegmentStore(
    Path(sys.argv[1]),
    {"marks": {"key": pl.String, "n": pl.Int64}, "notes": {"text": pl.String}},
)
for n in itertools.count():
    rows = pl.DataFrame({"n": [n], "key": ["k"]})
    store.commit({"marks": rows, "notes": pl.DataFrame({"text": [str(n)]})})
"""


@pytest.mark.process
def test_readers_see_whole_commits_while_a_writer_is_killed(store: SegmentStore) -> None:
    for _ in range(KILLS):
        before = store.count_rows("marks")
        writer = subprocess.Popen([sys.executable, "-c", APPEND_FOR_EVER, str(store.root)])
        deadline = time.monotonic() + 60
        while store.count_rows("marks") < before + 12 and time.monotonic() < deadline:
            marked = store.scan("marks").collect().height
            assert marked <= store.count_rows("marks")
        writer.kill()
        writer.wait()
        assert store.count_rows("marks") >= before + 12
        assert store.count_rows("marks") == store.count_rows("notes")
        assert store.damaged == ()
    print(f"{KILLS} kills of a writer")  # noqa: T201 - the soak counts its tries
    store.append("marks", marks(-1))
    live = {segment.name for segment in store._load_manifest().segments}
    kept = live | set(store._load_manifest().retired)
    assert {path.name for path in (store.root / "segments").iterdir()} == kept


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=20), st.integers(2, 4))
def test_whatever_is_committed_and_replaced_a_plain_list_agrees(
    tmp_path_factory: pytest.TempPathFactory, commits: list[list[int]], every: int
) -> None:
    store = SegmentStore(tmp_path_factory.mktemp("store"), TABLES)
    plain: list[int] = []
    for i, numbers in enumerate(commits):
        rows = pl.DataFrame(
            {"n": numbers, "key": [str(n) for n in numbers]}, schema=TABLES["marks"]
        )
        replaced = [str(n) for n in numbers[:2]] if i % every == 0 else []
        store.commit({"marks": rows}, replacing={"marks": ("key", replaced)})
        plain = [n for n in plain if str(n) not in replaced] + numbers
    assert numbers_in(store) == plain
    assert store.count_rows("marks") == len(plain)


def test_a_file_of_the_desktop_stops_no_commit(store: SegmentStore) -> None:
    store.append("marks", marks(1))
    stranger = store.root / "segments" / ".DS_Store"
    stranger.write_bytes(b"Bud1")

    store.append("marks", marks(2))

    assert numbers_in(store) == [1, 2]
    assert stranger.exists()


def test_nobody_else_can_read_the_store(tmp_path: Path) -> None:
    open_to_all = tmp_path / "store"
    open_to_all.mkdir(mode=0o755)

    SegmentStore(open_to_all, TABLES).append("marks", marks(1))

    assert stat.S_IMODE(open_to_all.stat().st_mode) == 0o700
    written = [*open_to_all.rglob("*.parquet"), open_to_all / "manifest.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
