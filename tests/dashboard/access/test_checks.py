"""What changes something is done by ``run_action`` or with what ``require_permit`` gives."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from workflow.access import CALLS, LOWEST, Privilege

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "dashboard"
CHANGING = frozenset(
    {
        *("batches.start_batch", "batches.resume_batch"),
        *("deployment_job.start_job", "deployment_job.start_deployment"),
        *("repairs.start_repair", "repairs.resume_repair", "repairs.stop_repair"),
        *("control.begin_condition", "control.end_condition", "TrafficProcess", "found.stop"),
        *("traffic_panel.send_traffic", "traffic_panel.stop_traffic"),
        *("registry.save", "registry.remove", "rollback.start_watch"),
    }
)
"""Calls of pages and panels that change something, as they are written there."""

CHECKS = frozenset({"components.run_action", "permits.require_permit"})
CHECKED_ELSEWHERE = {
    "dashboard/inferences/traffic_panel.py:send_traffic",
    "dashboard/inferences/traffic_panel.py:stop_traffic",
    "dashboard/lab/panel.py:_begin_condition",
    "dashboard/lab/panel.py:_end_condition",
    "dashboard/workflows/panel.py:_find_or_describe",
}
"""What the lab hands to ``components.run_action`` in another function, and what only remembers what
was read of a workflow that an address names."""

MAY_WIDEN = {
    "dashboard/feeds/panel.py",
    "dashboard/review/panel.py",
    "dashboard/shared/connections.py",
    "dashboard/shared/permits.py",
}
"""Modules that ask for a connection which may do more than read. The clients of feeds and reviews
are handed to actions, which write what a person decided with them."""


def functions(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """Return the functions of a module, and its own statements as a script."""
    found: list[tuple[str, ast.AST]] = [
        (node.name, node) for node in tree.body if isinstance(node, ast.FunctionDef)
    ]
    script = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [*found, ("script", ast.Module(script, []))]


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def called(node: ast.AST) -> set[str]:
    return {ast.unparse(one.func) for one in calls(node)}


@cache
def parsed() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for path in sorted(DASHBOARD.rglob("*.py"))
    }


@pytest.mark.parametrize(
    "path",
    sorted(
        str(path.relative_to(ROOT))
        for pattern in ("app_pages/*.py", "*/*panel.py")
        for path in DASHBOARD.glob(pattern)
    ),
)
def test_a_page_checks_the_role_where_it_changes_something(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text())

    unchecked = {
        f"{path}:{name}"
        for name, body in functions(tree)
        if called(body) & CHANGING and not called(body) & CHECKS
    }

    assert unchecked <= CHECKED_ELSEWHERE


def test_only_what_was_permitted_gets_a_connection_that_changes_something() -> None:
    widened = {
        path
        for path, tree in parsed().items()
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute | ast.Name)
        if ast.unparse(call.func).endswith(".limited")
        or (ast.unparse(call.func).rpartition(".")[2] in {"connection", "cloud_connection"}
            and (call.args or call.keywords))
    }  # fmt: skip

    assert widened == MAY_WIDEN


def test_each_privilege_has_a_role_and_calls_and_is_asked_for_somewhere() -> None:
    trees = parsed().values()
    asked = {
        ast.unparse(one)
        for tree in trees
        for one in ast.walk(tree)
        if isinstance(one, ast.Attribute)
    }

    assert set(LOWEST) == set(CALLS) == set(Privilege)
    assert {f"Privilege.{one.name}" for one in Privilege} <= asked


@pytest.mark.parametrize(
    "name", ["classify/batches", "failures/repairs", "deployment/deployment_job"]
)
def test_what_takes_a_permit_records_what_it_does(name: str) -> None:
    for function, body in functions(ast.parse((DASHBOARD / f"{name}.py").read_text())):
        if isinstance(body, ast.FunctionDef) and "permit" in {one.arg for one in body.args.args}:
            assert called(body) & {
                "permit.record_action",
                "resume_batch",
                "resume_repair",
                "start_job",
            }, function


def test_what_is_permitted_is_recorded_here_or_by_what_the_permit_is_given_to() -> None:
    jobs = ("batches.", "repairs.", "deployment_job.", "rollback.")
    for path, tree in parsed().items():
        for name, body in functions(tree):
            if "permits.require_permit" not in called(body):
                continue
            handed = [one for one in calls(body) if ast.unparse(one.func).startswith(jobs)]
            assert handed or "permit.record_action" in called(body), f"{path}:{name}"
