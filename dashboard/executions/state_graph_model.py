"""A state machine as boxes and arrows on a grid, with what became of each state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from workflow.definitions import Graph, Node, Via

Place = tuple[float, int]
"""Column, 0 in the middle, and rank, 0 at the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One state; the numbers are None where no history that was read visited it.

    Attributes:
        x: Column, 0 in the middle.
        y: Rank, 0 at the top.
        p50: Median seconds of a visit.
        p95: Seconds that 95 in 100 visits do not exceed.
    """

    id: str
    name: str
    type: str
    x: float
    y: int
    visits: int | None = None
    failed: int | None = None
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A way from one box to another; ``via`` None is the way into a Map or Parallel."""

    start: Box
    end: Box
    via: Via | None
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateGraph:
    """What is drawn, and why AWS would refuse the definition (empty where it would not)."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    problems: tuple[str, ...]


def state_graph(graph: Graph, states: pl.DataFrame | None = None) -> StateGraph:
    """Place a definition's states and tell what became of them.

    Args:
        graph: As read from the definition.
        states: ``executions.model.states_of``: ``state``, ``visits``, ``failed``, ``p50``, ``p95``.
    """
    known = {} if states is None else {row["state"]: row for row in states.to_dicts()}
    places = place_nodes(graph)
    boxes = {
        node.id: _build_box(node, places[node.id], known.get(node.name)) for node in graph.nodes
    }
    arrows = [
        Arrow(start=boxes[edge.source], end=boxes[edge.target], via=edge.via, label=edge.label)
        for edge in graph.edges
    ]
    inward = [
        Arrow(start=boxes[node.parent], end=boxes[node.id], via=None)
        for node in graph.nodes
        if node.parent and node.start
    ]
    return StateGraph(
        boxes=tuple(boxes.values()), arrows=(*arrows, *inward), problems=graph.problems
    )


def place_nodes(graph: Graph) -> Mapping[str, Place]:
    """Return column and rank of each node: every edge leads downwards but those that go back.

    Ranks are longest paths (Sugiyama's layering); within a rank, nodes keep under their parents.
    """
    following = _nodes_below(graph)
    ranks = _compute_ranks([node.id for node in graph.nodes], following)
    rows: dict[int, list[str]] = {}
    for node in graph.nodes:
        rows.setdefault(ranks[node.id], []).append(node.id)
    places: dict[str, Place] = {}
    for rank in sorted(rows):
        above = {
            name: _mean_or_zero(_columns_above(name, following, places)) for name in rows[rank]
        }
        for at, name in enumerate(sorted(rows[rank], key=lambda name: above[name])):
            places[name] = (at - (len(rows[rank]) - 1) / 2, rank)
    return places


def _nodes_below(graph: Graph) -> dict[str, list[str]]:
    """Return what must be drawn below each node: what it leads to, and what it encloses."""
    leads: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        leads[edge.source].append(edge.target)
    following = {name: list(targets) for name, targets in leads.items()}
    for node in graph.nodes:
        if node.parent is not None:
            following[node.id] += leads[node.parent] if node.end else []
            following[node.parent] += [node.id] if node.start else []
    return following


def _compute_ranks(names: Iterable[str], following: Mapping[str, list[str]]) -> dict[str, int]:
    done: dict[str, bool] = {}
    order: list[str] = []
    forward: dict[str, list[str]] = {name: [] for name in following}

    def visit(name: str) -> None:
        """Go depth first, without recursion: a definition may be thousands of states long."""
        stack = [(name, iter(following[name]))]
        done[name] = False
        while stack:
            here, ahead = stack[-1]
            for target in ahead:
                if done.get(target) is not False:  # else the way goes back
                    forward[here].append(target)
                if target not in done:
                    done[target] = False
                    stack.append((target, iter(following[target])))
                    break
            else:
                done[here] = True
                order.append(here)
                stack.pop()

    for name in names:
        if name not in done:
            visit(name)
    ranks = dict.fromkeys(following, 0)
    for name in reversed(order):
        for target in forward[name]:
            ranks[target] = max(ranks[target], ranks[name] + 1)
    return ranks


def _columns_above(
    name: str, following: Mapping[str, list[str]], places: Mapping[str, Place]
) -> list[float]:
    return [x for other, (x, _) in places.items() if name in following[other]]


def _mean_or_zero(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _build_box(node: Node, place: Place, row: Mapping[str, float] | None) -> Box:
    x, y = place
    if row is None:
        return Box(id=node.id, name=node.name, type=node.type, x=x, y=y)
    return Box(
        id=node.id,
        name=node.name,
        type=node.type,
        x=x,
        y=y,
        visits=int(row["visits"]),
        failed=int(row["failed"]),
        p50=row["p50"],
        p95=row["p95"],
    )
