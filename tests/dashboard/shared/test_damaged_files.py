"""Each file that the dashboard keeps, damaged in each way: a name, a remedy, and the rest works."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from dashboard.failures.local_objects import LocalObjects
from dashboard.failures.notes import NoteLog
from dashboard.failures.redrives import REPAIRS_PREFIX, RepairLog
from dashboard.failures.team_notes import TeamNotes
from dashboard.shared.store import SegmentStore
from dashboard.shared.workflow_registry import WorkflowRegistry
from tests.damage import DAMAGES
from workflow.errors import WorkflowError
from workflow.triage import TriageAction, TriageEvent
from workflow.watched import WatchedWorkflow

TABLES = {"a": {"n": pl.Int64}, "b": {"n": pl.Int64}}
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
STORE_FILES = ("manifest.json", "write.lock", "sync.lock", "a.parquet", "b.parquet")

damaged = pytest.mark.parametrize("damage", DAMAGES)


def rows(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"n": numbers}, schema=TABLES["a"])


@damaged
@pytest.mark.parametrize("file", STORE_FILES)
def test_a_store_with_a_damaged_file_is_named_or_goes_on(
    tmp_path: Path, file: str, damage: str
) -> None:
    root = tmp_path / "store"
    whole = SegmentStore(root, TABLES)
    whole.commit({"a": rows(1)})
    whole.commit({"b": rows(2)})
    with whole.claim_purpose("sync"):
        pass
    ((path),) = root.rglob(file)
    DAMAGES[damage](path)
    store = SegmentStore(root, TABLES)
    problems: list[WorkflowError] = []
    for use in (
        lambda: store.scan("a").collect(),
        lambda: store.scan("b").collect(),
        lambda: store.claim_purpose("sync").__enter__(),
        lambda: store.commit({"a": rows(3)}),
    ):
        try:
            use()
        except WorkflowError as error:
            problems.append(error)
    if damage != "unreadable" and store.problem is not None:
        problems.append(store.problem)

    assert all(error.remedy and str(root) in error.message for error in problems)
    if file == "a.parquet" and damage != "unreadable":  # which is no damage: nothing is set aside
        assert store.scan("b").collect()["n"].to_list() == [2]
        assert store.scan("a").collect()["n"].to_list() == [3], "what is read again is kept"
    if file.endswith((".parquet", ".json")):
        assert problems, "rows that are lost are spoken of"


@damaged
def test_a_damaged_list_of_workflows_hides_no_page_and_is_not_replaced(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "workflows.json"
    WorkflowRegistry(path).save(WatchedWorkflow(name="one", state_machine_arn="arn:one"))
    DAMAGES[damage](path)
    registry = WorkflowRegistry(path)

    assert registry.all() == ()
    assert registry.find("arn:one") is None
    assert registry.problem is not None
    assert registry.problem.code == "RegistryDamaged"
    assert str(path) in registry.problem.remedy
    with pytest.raises(WorkflowError, match="cannot be read"):
        registry.save(WatchedWorkflow(name="two", state_machine_arn="arn:two"))


def test_a_list_of_workflows_that_is_mended_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "workflows.json"
    registry = WorkflowRegistry(path)
    registry.save(WatchedWorkflow(name="one", state_machine_arn="arn:one"))
    kept = path.read_bytes()
    path.write_bytes(b"{")
    assert registry.problem is not None
    path.write_bytes(kept)

    assert [one.name for one in registry.all()] == ["one"]
    assert registry.problem is None


@damaged
def test_a_damaged_note_is_named_and_the_others_are_read(tmp_path: Path, damage: str) -> None:
    def notes() -> TeamNotes:
        return TeamNotes(None, NoteLog(LocalObjects(tmp_path).as_client(), "notes"))

    for number in range(3):
        notes().append(
            TriageEvent(
                id=f"note-{number}",
                fingerprint="d",
                at=NOW,
                author="someone",
                action=TriageAction.ACKNOWLEDGE,
            )
        )
    first = min((tmp_path / "notes").iterdir())
    DAMAGES[damage](first)
    found = notes().read()

    assert len(found.events) + len(found.problems) == 3
    assert len(found.events) >= 2


@pytest.mark.skipif(sys.platform != "linux", reason="names of open files are read from /proc")
def test_what_is_acknowledged_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(
        "os.fsync", lambda handle: flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
    )
    objects = LocalObjects(tmp_path / "notes").as_client()
    objects.put_object(Bucket="b", Key="note", Body=b"a note")
    WorkflowRegistry(tmp_path / "workflows.json").save(
        WatchedWorkflow(name="one", state_machine_arn="arn:one")
    )
    SegmentStore(tmp_path / "store", TABLES).commit({"a": rows(1)})

    names = [Path(name).name for name in flushed]
    for part in ("note.", "b", "workflows.", "a.parquet", "manifest.new", "store"):
        assert any(name.startswith(part) for name in names), part


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"id": "\x9c"}'])
def test_a_damaged_plan_of_a_repair_is_named(tmp_path: Path, body: bytes) -> None:
    objects = LocalObjects(tmp_path).as_client()
    key = f"{REPAIRS_PREFIX}20261127-one/plan.json"
    objects.put_object(Bucket="b", Key=key, Body=body)

    with pytest.raises(WorkflowError, match="damaged") as refused:
        RepairLog(objects, "b").read_runs()

    assert key in refused.value.message
    assert "the other repairs" in refused.value.remedy
