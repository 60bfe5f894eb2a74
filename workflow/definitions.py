"""Definitions: a state machine in Amazon States Language as a graph, and what is wrong with it.

Follows the specification (https://states-language.net/spec.html) with JSONPath and JSONata, nested
Map and Parallel included. An invalid definition is drawn as far as it goes, beside its problems.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from workflow.asl.validation import diagnose
from workflow.errors import WorkflowError

_TERMINAL: Final = ("Succeed", "Fail")


class Via(StrEnum):
    """How a state leads to another."""

    NEXT = "next"
    CHOICE = "choice"
    DEFAULT = "default"
    CATCH = "catch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One state.

    Attributes:
        id: Unique in the graph: the name, after the enclosing state's id and branch where nested.
        type: As in the definition; may be unknown, which is then among the problems.
        parent: Id of the enclosing Map or Parallel, None at the top.
        branch: Index of the Parallel branch; 0 within a Map and at the top.
        start: Whether its level starts with it.
        end: Whether its level ends with it.
        resource: What a Task calls, else None.
    """

    id: str
    name: str
    type: str
    parent: str | None = None
    branch: int = 0
    start: bool = False
    end: bool = False
    resource: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way from state to state, by id; ``label`` is the condition or the errors caught."""

    source: str
    target: str
    via: Via
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A definition as a graph.

    Attributes:
        nodes: In the order of the definition, a Map or Parallel before what it encloses.
        problems: Why AWS would refuse the definition, each with its place; empty when it is valid.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    problems: tuple[str, ...]


def read_definition(text: str) -> Graph:
    """Read a definition.

    Args:
        text: The definition itself, or what holds it as text: DescribeStateMachine's answer or the
            console's export of an execution.

    Raises:
        WorkflowError: ``DefinitionInvalid`` where the text is not a JSON object with States, so
            there is nothing to draw.
    """
    text = text.removeprefix("\ufeff")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid_definition(f"The definition is not JSON: {error}.") from None
    held = _held_definition(value)
    if held is not None:
        return read_definition(held)
    if not isinstance(value, Mapping) or not isinstance(value.get("States"), Mapping):
        raise _invalid_definition("The definition is JSON, but has no States object.")
    reader = _Reader()
    reader.read_level(value, None, 0)
    return Graph(
        nodes=tuple(reader.nodes),
        edges=tuple(reader.edges),
        problems=tuple(
            f"{found.location}: {found.message}"
            for found in diagnose(text)
            if found.severity == "ERROR"
        ),
    )


class _Reader:
    """Collects nodes and edges, level by level."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []

    def read_level(self, value: Mapping[str, Any], parent: str | None, branch: int) -> None:
        """Read one machine: the whole, a Map's processor or a Parallel's branch."""
        states = value.get("States")
        if not isinstance(states, Mapping):
            return
        ids = {name: name if parent is None else f"{parent}/{branch}/{name}" for name in states}
        for name, state in states.items():
            if isinstance(state, Mapping):
                node = Node(
                    id=ids[name],
                    name=name,
                    type=str(state.get("Type")),
                    parent=parent,
                    branch=branch,
                    start=name == value.get("StartAt"),
                    end=state.get("End") is True or state.get("Type") in _TERMINAL,
                    resource=_as_text(state.get("Resource")),
                    comment=_as_text(state.get("Comment")),
                )
                self._read_state(state, ids, node)

    def _read_state(self, state: Mapping[str, Any], ids: Mapping[str, str], node: Node) -> None:
        self.nodes.append(node)
        self.edges += [
            Edge(source=node.id, target=ids[target], via=via, label=label)
            for target, via, label in _find_ways(state)
            if target in ids
        ]
        for index, inner in enumerate(_inner_machines(state)):
            self.read_level(inner, node.id, index)


def _find_ways(state: Mapping[str, Any]) -> Iterator[tuple[str, Via, str]]:
    """Yield target, way and label of everything that may follow a state."""
    if isinstance(state.get("Next"), str):
        yield state["Next"], Via.NEXT, ""
    for rule in _only_objects(state.get("Choices")):
        yield str(rule.get("Next")), Via.CHOICE, condition(rule)
    if isinstance(state.get("Default"), str):
        yield state["Default"], Via.DEFAULT, "otherwise"
    for catcher in _only_objects(state.get("Catch")):
        errors = catcher.get("ErrorEquals")
        label = ", ".join(map(str, errors)) if isinstance(errors, list) else ""
        yield str(catcher.get("Next")), Via.CATCH, label


def condition(rule: Mapping[str, Any]) -> str:
    """Describe a Choice rule: ``$.meets_threshold = true``, ``not (...)``, or its JSONata."""
    if "Condition" in rule:
        text = str(rule["Condition"]).strip()
        return text.removeprefix("{%").removesuffix("%}").strip()
    if isinstance(rule.get("Not"), Mapping):
        return f"not ({condition(rule['Not'])})"
    for name in ("And", "Or"):
        if name in rule:
            return f" {name.lower()} ".join(f"({condition(r)})" for r in _only_objects(rule[name]))
    variable = str(rule.get("Variable", ""))
    known = ("Variable", "Next", "Comment", "Assign", "Output")
    test = next((key for key in rule if key not in known), "")
    return f"{variable} {_operator_sign(test)} {json.dumps(rule.get(test))}" if test else variable


def _operator_sign(test: str) -> str:
    # Longest first: GreaterThan is part of GreaterThanEquals.
    signs = (
        ("GreaterThanEquals", ">="),
        ("LessThanEquals", "<="),
        ("GreaterThan", ">"),
        ("LessThan", "<"),
        ("Equals", "="),
    )
    return next((sign for name, sign in signs if name in test), test)


def _inner_machines(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the machines inside a state: a Map's processor or iterator, a Parallel's branches."""
    if state.get("Type") == "Map":
        return _only_objects([state.get("ItemProcessor") or state.get("Iterator")])
    return _only_objects(state.get("Branches")) if state.get("Type") == "Parallel" else []


def _held_definition(value: object) -> str | None:
    """Return the definition's text in a record that holds it, None in a definition."""
    if not isinstance(value, Mapping) or "States" in value:
        return None
    machine = value.get("stateMachine", value)
    return _as_text(machine.get("definition")) if isinstance(machine, Mapping) else None


def _only_objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _invalid_definition(message: str) -> WorkflowError:
    return WorkflowError(
        "DefinitionInvalid", message, "Give the state machine's definition as JSON text."
    )
