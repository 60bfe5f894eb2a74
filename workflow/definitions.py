"""Definitions: a state machine in Amazon States Language as a graph, and what is wrong with it.

Follows the specification (https://states-language.net/spec.html) with JSONPath and JSONata, nested
Map and Parallel included. An invalid definition is drawn as far as it goes, beside its problems.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from workflow.errors import WorkflowError

_TERMINAL: Final = ("Succeed", "Fail")
_TYPES: Final = ("Task", "Pass", "Wait", "Choice", "Parallel", "Map", *_TERMINAL)
_JSONPATH_ONLY: Final = ("InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector")
_JSONATA_ONLY: Final = ("Arguments", "Output")
_WAITS: Final = ("Seconds", "Timestamp", "SecondsPath", "TimestampPath")


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
        problems: Why AWS would refuse the definition, a sentence each; empty when it is valid.
    """

    comment: str
    query_language: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    problems: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong with it, as far as can be told without running it."""
        return not self.problems


def read_definition(text: str) -> Graph:
    """Read a definition.

    Args:
        text: The definition itself, or what holds it as text: DescribeStateMachine's answer or the
            console's export of an execution.

    Raises:
        WorkflowError: ``DefinitionInvalid`` where the text is no JSON object with States, so that
            there is nothing to draw.
    """
    twice: list[str] = []
    try:
        value = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=lambda pairs: _object(pairs, twice)
        )
    except (ValueError, RecursionError) as error:
        raise _invalid(f"The definition is not JSON: {error}.") from None
    held = _held(value)
    if held is not None:
        return read_definition(held)
    if not isinstance(value, Mapping) or not isinstance(value.get("States"), Mapping):
        raise _invalid("The definition is JSON, but has no States object.")
    language = value.get("QueryLanguage", "JSONPath")
    reader = _Reader(str(language))
    reader.problems += [f"An object has the key {key!r} twice." for key in twice]
    if language not in ("JSONPath", "JSONata"):
        reader.problems.append(f"QueryLanguage is {language!r}, not JSONPath or JSONata.")
    reader.level(value, None, 0)
    return Graph(
        comment=str(value.get("Comment", "")),
        query_language=str(language),
        nodes=tuple(reader.nodes),
        edges=tuple(reader.edges),
        problems=tuple(reader.problems),
    )


class _Reader:
    """Collects nodes, edges and problems, level by level."""

    def __init__(self, language: str) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.problems: list[str] = []
        self._language = language
        self._names: set[str] = set()

    def level(self, value: Mapping[str, Any], parent: str | None, branch: int) -> None:
        """Read one machine: the whole, a Map's processor or a Parallel's branch."""
        place = f" in {parent!r}" if parent else ""
        states = value.get("States")
        if not isinstance(states, Mapping) or not states:
            self.problems.append(f"There are no States{place}.")
            return
        start = value.get("StartAt")
        if not isinstance(start, str) or start not in states:
            self.problems.append(f"StartAt names {start!r}, which is no state{place}.")
        ids = {name: name if parent is None else f"{parent}/{branch}/{name}" for name in states}
        first = len(self.edges)
        for name, state in states.items():
            if name in self._names:
                self.problems.append(f"The name {name!r} is used twice; names must be unique.")
            self._names.add(name)
            if not isinstance(state, Mapping):
                self.problems.append(f"The state {name!r} is not an object.")
                continue
            self._state(
                name,
                state,
                ids,
                Node(
                    id=ids[name],
                    name=name,
                    type=str(state.get("Type")),
                    parent=parent,
                    branch=branch,
                    start=name == start,
                    end=state.get("End") is True or state.get("Type") in _TERMINAL,
                    resource=_text(state.get("Resource")),
                    comment=_text(state.get("Comment")),
                ),
            )
        if isinstance(start, str) and start in states:
            self._unreachable(ids, start, self.edges[first:])

    def _state(
        self, name: str, state: Mapping[str, Any], ids: Mapping[str, str], node: Node
    ) -> None:
        self.nodes.append(node)
        self.problems += _faults(name, state, self._language)
        for target, via, label in _ways(state):
            if target in ids:
                edge = Edge(source=node.id, target=ids[target], via=via, label=label)
                self.edges.append(edge)
            else:
                self.problems.append(f"{name!r} leads to {target!r}, which is no state here.")
        for index, inner in enumerate(_inner(state)):
            self.level(inner, node.id, index)

    def _unreachable(self, ids: Mapping[str, str], start: str, edges: list[Edge]) -> None:
        reached, ahead = set(), [ids[start]]
        while ahead:
            here = ahead.pop()
            reached.add(here)
            ahead += [e.target for e in edges if e.source == here and e.target not in reached]
        self.problems += [f"{n!r} is not reachable." for n, i in ids.items() if i not in reached]


def _ways(state: Mapping[str, Any]) -> Iterator[tuple[str, Via, str]]:
    """Target, way and label of everything that may follow a state."""
    if isinstance(state.get("Next"), str):
        yield state["Next"], Via.NEXT, ""
    for rule in _objects(state.get("Choices")):
        yield str(rule.get("Next")), Via.CHOICE, condition(rule)
    if isinstance(state.get("Default"), str):
        yield state["Default"], Via.DEFAULT, "otherwise"
    for catcher in _objects(state.get("Catch")):
        errors = catcher.get("ErrorEquals")
        label = ", ".join(map(str, errors)) if isinstance(errors, list) else ""
        yield str(catcher.get("Next")), Via.CATCH, label


def condition(rule: Mapping[str, Any]) -> str:
    """A Choice rule in words: ``$.meets_threshold = true``, ``not (...)``, or its JSONata."""
    if "Condition" in rule:
        text = str(rule["Condition"]).strip()
        return text.removeprefix("{%").removesuffix("%}").strip()
    if isinstance(rule.get("Not"), Mapping):
        return f"not ({condition(rule['Not'])})"
    for name in ("And", "Or"):
        if name in rule:
            return f" {name.lower()} ".join(f"({condition(r)})" for r in _objects(rule[name]))
    variable = str(rule.get("Variable", ""))
    known = ("Variable", "Next", "Comment", "Assign", "Output")
    test = next((key for key in rule if key not in known), "")
    return f"{variable} {_operator(test)} {json.dumps(rule.get(test))}" if test else variable


def _operator(test: str) -> str:
    signs = (
        ("GreaterThanEquals", ">="),
        ("LessThanEquals", "<="),
        ("GreaterThan", ">"),
        ("LessThan", "<"),
        ("Equals", "="),
    )
    return next((sign for name, sign in signs if name in test), test)


def _inner(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The machines inside a state: a Map's processor (``Iterator`` of old), Parallel's branches."""
    if state.get("Type") == "Map":
        return _objects([state.get("ItemProcessor") or state.get("Iterator")])
    return _objects(state.get("Branches")) if state.get("Type") == "Parallel" else []


def _faults(name: str, state: Mapping[str, Any], machine_language: str) -> Iterator[str]:
    """What is wrong with one state by itself."""
    kind = state.get("Type")
    if kind not in _TYPES:
        yield f"{name!r} has the type {kind!r}, which does not exist."
        return
    yield from _transition_faults(name, kind, state)
    if kind == "Task" and not isinstance(state.get("Resource"), str):
        yield f"The Task {name!r} has no Resource."
    if kind in ("Map", "Parallel") and not _inner(state):
        yield f"The {kind} {name!r} has nothing to run."
    if kind == "Wait" and sum(key in state for key in _WAITS) != 1:
        yield f"The Wait {name!r} must have exactly one of {', '.join(_WAITS)}."
    for handler in (*_objects(state.get("Retry")), *_objects(state.get("Catch"))):
        if not isinstance(handler.get("ErrorEquals"), list) or not handler["ErrorEquals"]:
            yield f"A Retry or Catch of {name!r} names no errors."
    language = state.get("QueryLanguage", machine_language)
    if machine_language == "JSONata" and language != "JSONata":
        yield f"{name!r} uses {language} in a JSONata state machine."
    foreign = _JSONPATH_ONLY if language == "JSONata" else _JSONATA_ONLY
    for field in foreign:
        if field in state:
            yield f"{name!r} has {field}, which {language} states do not know."


def _transition_faults(name: str, kind: str, state: Mapping[str, Any]) -> Iterator[str]:
    if kind in _TERMINAL:
        if "Next" in state or "End" in state:
            yield f"The {kind} {name!r} ends the execution: it takes neither Next nor End."
    elif kind == "Choice":
        rules = _objects(state.get("Choices"))
        if not rules:
            yield f"The Choice {name!r} has no Choices."
        if any(not isinstance(rule.get("Next"), str) for rule in rules):
            yield f"A rule of the Choice {name!r} has no Next."
        if "Next" in state or "End" in state:
            yield f"The Choice {name!r} takes neither Next nor End."
    elif isinstance(state.get("Next"), str) == (state.get("End") is True):
        yield f"{name!r} needs exactly one of Next and End."


def _held(value: object) -> str | None:
    """The definition's text in a record that holds it, None in a definition."""
    if not isinstance(value, Mapping) or "States" in value:
        return None
    machine = value.get("stateMachine", value)
    return _text(machine.get("definition")) if isinstance(machine, Mapping) else None


def _object(pairs: list[tuple[str, Any]], twice: list[str]) -> dict[str, Any]:
    """An object of the definition; keys that it has more than once are added to ``twice``."""
    counts = Counter(key for key, _ in pairs)
    twice += [key for key, count in counts.items() if count > 1]
    return dict(pairs)


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _invalid(message: str) -> WorkflowError:
    return WorkflowError(
        "DefinitionInvalid", message, "Give the state machine's definition as JSON text."
    )
