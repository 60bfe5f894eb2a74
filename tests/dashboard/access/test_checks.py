"""What changes something is done by ``components.act`` or after ``session.check``."""

import ast
from pathlib import Path

import pytest

DASHBOARD = Path(__file__).parents[3] / "dashboard"
CHANGING = frozenset(
    {
        *("batches.start", "batches.find", "deploying.start", "deploying.deploy"),
        *("repairs.start", "repairs.resume", "repairs.stop"),
        *("control.begin", "control.end", "TrafficProcess", "found.stop"),
        *("traffic_panel.send", "traffic_panel.stop"),
        *("components.registry().save", "components.registry().remove"),
    }
)
"""Calls of pages and panels that change something, as they are written there."""

CHECKS = frozenset({"session.check", "access.check", "components.act"})
STARTED_AFTER_A_CHECK = {
    "dashboard/demonstration/panel.py:begin",
    "dashboard/inferences/traffic_panel.py:send",
    "dashboard/inferences/traffic_panel.py:stop",
}
"""Run by the job that *Deploy and show me* starts, and by the lab: both check before."""


def functions(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """Return the functions of a module, and its own statements as a script."""
    found: list[tuple[str, ast.AST]] = [
        (node.name, node) for node in tree.body if isinstance(node, ast.FunctionDef)
    ]
    script = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [*found, ("script", ast.Module(script, []))]


def calls(node: ast.AST) -> set[str]:
    return {ast.unparse(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}


@pytest.mark.parametrize(
    "path",
    sorted(
        str(path.relative_to(DASHBOARD.parent))
        for pattern in ("app_pages/*.py", "*/*panel.py")
        for path in DASHBOARD.glob(pattern)
    ),
)
def test_a_page_checks_the_role_where_it_changes_something(path: str) -> None:
    tree = ast.parse((DASHBOARD.parent / path).read_text())

    unchecked = {
        f"{path}:{name}"
        for name, body in functions(tree)
        if calls(body) & CHANGING and not calls(body) & CHECKS
    }

    assert unchecked <= STARTED_AFTER_A_CHECK
