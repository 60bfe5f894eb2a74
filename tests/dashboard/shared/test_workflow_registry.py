"""What is known of watched workflows outlives the process and is shared by its sessions."""

from pathlib import Path

import pytest

from dashboard.shared.workflow_registry import WorkflowRegistry
from workflow.errors import WorkflowError
from workflow.monitoring import CapturePlace
from workflow.watched import WatchedWorkflow

ONE = WatchedWorkflow(
    name="one", state_machine_arn="arn:one", captures=CapturePlace("b", "p"), classes=("a", "b")
)


def test_a_workflow_is_found_again_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "workflows.json"
    WorkflowRegistry(path).save(ONE)
    other = WorkflowRegistry(path)
    assert other.find("arn:one") == ONE
    assert other.find("arn:two") is None
    WorkflowRegistry(path).save(WatchedWorkflow(name="two", state_machine_arn="arn:two"))
    assert [one.name for one in other.all()] == ["one", "two"]
    other.remove("arn:one")
    assert [one.name for one in WorkflowRegistry(path).all()] == ["two"]


def test_a_damaged_file_is_named_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "workflows.json"
    path.write_text("{")
    registry = WorkflowRegistry(path)
    for use in (lambda: registry.save(ONE), lambda: registry.remove("arn:one")):
        with pytest.raises(WorkflowError) as refused:
            use()
        assert refused.value.code == "RegistryDamaged"
    assert path.read_text() == "{"
