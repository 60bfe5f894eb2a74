"""Discovery: which endpoint and threshold a state machine works with, as far as records tell.

A state machine does not name its endpoint: its Task states call functions, and those name it in a
variable, in their code, or nowhere. So what is found here is a ``Guess`` with the reason beside it,
certain only where the definition itself names the endpoint. Sources: Step Functions developer
guide, "Invoke a Lambda function" and "AWS SDK service integrations"; IAM policy grammar.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from workflow.answer_rows import number_of
from workflow.asl.data import json_or_none
from workflow.image_search import find_image
from workflow.machine_rules import classifies, stated_threshold
from workflow.monitoring import CapturePlace
from workflow.thresholds import LOWEST
from workflow.watched import WatchedWorkflow

_FUNCTION_ARN: Final = re.compile(
    r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:(?P<name>[A-Za-z0-9_-]+)"
)
_ENDPOINT_ARN: Final = re.compile(
    r"arn:[a-z*-]+:sagemaker:[^:]*:[^:]*:endpoint/(?P<name>[A-Za-z0-9-]+)(?![A-Za-z0-9*?-])"
)
_FUNCTION_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ENDPOINT_NAME: Final = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
_MAX_NESTING: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRecord:
    """A Lambda function, as GetFunctionConfiguration tells, and what its role may invoke.

    Attributes:
        name: Its name, without version.
        runtime: Such as ``python3.9``; empty for container images.
        last_modified: ISO text.
        role: ARN of its role.
        timeout_s: Its own limit, in seconds; 0 where it is not known.
        variables: Its environment.
        policies: Documents of its role's policies, as JSON text.
        code_endpoints: Names of known endpoints that its code contains.
    """

    name: str
    runtime: str = ""
    last_modified: str = ""
    role: str = ""
    timeout_s: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    code_endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRecord:
    """An endpoint, as DescribeEndpoint and DescribeEndpointConfig tell.

    Attributes:
        name: Its name.
        status: Such as ``InService``; empty where it is not known.
        captures: Where its captures lie; None where its configuration has no data capture.
        capturing: Whether capture is switched on.
        sampling_percentage: Share of the invocations that is captured, 0 to 100.
        keeps_text: Whether the configuration names content types, without which SageMaker stores
            everything as base64.
        variants: Names of its production variants.
        configuration: Name of its configuration.
    """

    name: str
    status: str = ""
    captures: CapturePlace | None = None
    capturing: bool = False
    sampling_percentage: float = 0.0
    keeps_text: bool = False
    variants: tuple[str, ...] = ()
    configuration: str = ""


@dataclass(frozen=True, slots=True)
class Guess:
    """Something that was found rather than told.

    Attributes:
        value: What was found.
        reason: Why, for people: "the variable ENDPOINT of the function classify names it".
        certain: Whether nothing else can be meant.
    """

    value: str
    reason: str
    certain: bool = False


def called_functions(definition: str) -> tuple[str, ...]:
    """Return the names of the functions that Task states of a definition call, in order.

    Args:
        definition: ASL as JSON text; one that cannot be read calls nothing.
    """
    names = (_function_name(key, text) for key, text in _task_texts(definition))
    return tuple(dict.fromkeys(name for name in names if name))


def called_endpoints(definition: str) -> tuple[str, ...]:
    """Return the endpoints that a definition invokes itself, without a function."""
    named = (text for key, text in _task_texts(definition) if key == "EndpointName")
    return tuple(dict.fromkeys(text for text in named if text))


def guess_endpoint(
    definition: str, functions: Sequence[FunctionRecord], endpoints: Sequence[EndpointRecord]
) -> Guess | None:
    """Return the endpoint of a state machine, None where nothing points to one.

    Args:
        definition: Of the state machine, as JSON text.
        functions: Those that it calls, as far as they may be read.
        endpoints: Those of the region, as far as they may be listed.
    """
    direct = called_endpoints(definition)
    if direct:
        return Guess(direct[0], "the state machine invokes it itself", certain=True)
    known = {endpoint.name for endpoint in endpoints}
    ways = (_by_variables(functions, known), _by_code(functions), _by_roles(functions))
    for found in ways:
        best = next(found, None)
        if best is not None:
            return best
    capturing = [endpoint.name for endpoint in endpoints if endpoint.captures]
    if len(capturing) == 1:
        return Guess(capturing[0], "it is the only endpoint here that captures its data")
    return None


def guess_threshold(definition: str, functions: Iterable[FunctionRecord]) -> Guess | None:
    """Return the confidence that a workflow demands, as text; None where nothing states one."""
    for function in functions:
        for name, text in function.variables.items():
            number = number_of(text) if "threshold" in name.lower() else None
            if number is not None and LOWEST <= number <= 1:
                reason = f"the variable {name} of the function {function.name} says so"
                return Guess(f"{number:g}", reason)
    stated = stated_threshold(definition, ())
    if stated is None:
        return None
    return Guess(f"{stated:g}", "the state machine compares with it", certain=True)


def described(
    workflow: WatchedWorkflow,
    definition: str,
    functions: Sequence[FunctionRecord],
    endpoints: Sequence[EndpointRecord],
) -> WatchedWorkflow:
    """Return a workflow with what was found of it; what is known of it already stays.

    Args:
        workflow: As somebody named it.
        definition: Of its state machine, as JSON text; empty where it may not be read.
        functions: As for ``guess_endpoint``.
        endpoints: Likewise.
    """
    endpoint = guess_endpoint(definition, functions, endpoints)
    threshold = guess_threshold(definition, functions)
    name = workflow.endpoint or (endpoint.value if endpoint else "")
    texts = (text for function in functions for text in (function.name, *function.variables))
    return replace(
        workflow,
        functions=called_functions(definition),
        endpoint=name,
        endpoint_source=endpoint.reason if endpoint and name == endpoint.value else "",
        threshold=float(threshold.value) if threshold else workflow.threshold,
        threshold_source=threshold.reason if threshold else workflow.threshold_source,
        owes_inference=classifies(definition, texts),
        fixed_image=fixed_image(definition),
    )


def fixed_image(definition: str) -> str:
    """Return the image that a definition hands to its first task itself; empty without one."""
    for _, state in states_of(json_or_none(definition)):
        for block in ("Parameters", "Arguments"):
            if isinstance(state.get(block), Mapping):
                return find_image(json.dumps(state[block])) or ""
    return ""


def endpoints_named(code: bytes, known: Iterable[str]) -> tuple[str, ...]:
    """Return the known endpoints whose names stand in a function's source."""
    return tuple(
        name for name in known if re.search(rb"['\"]%b['\"]" % re.escape(name.encode()), code)
    )


def _by_variables(functions: Iterable[FunctionRecord], known: set[str]) -> Iterator[Guess]:
    """Endpoints in variables: first those that exist, then any in a variable that says endpoint."""
    pairs = [(one, name, text) for one in functions for name, text in one.variables.items()]
    for function, name, text in pairs:
        if text in known:
            reason = f"the variable {name} of the function {function.name} names it"
            yield Guess(text, reason, certain=True)
    for function, name, text in pairs:
        if "endpoint" in name.lower() and _ENDPOINT_NAME.fullmatch(text):
            reason = (
                f"the variable {name} of the function {function.name} names it, but no such "
                "endpoint was seen"
            )
            yield Guess(text, reason)


def _by_code(functions: Iterable[FunctionRecord]) -> Iterator[Guess]:
    for function in functions:
        for name in function.code_endpoints:
            yield Guess(name, f"the code of the function {function.name} names it")


def _by_roles(functions: Iterable[FunctionRecord]) -> Iterator[Guess]:
    for function in functions:
        for policy in function.policies:
            found = _ENDPOINT_ARN.search(policy)
            if found:
                reason = f"the role of the function {function.name} may invoke it"
                yield Guess(found["name"], reason)


def _function_name(key: str, text: str) -> str:
    """Return the function that an ARN, ``name`` or ``name:alias`` means; empty for none."""
    if key == "EndpointName":
        return ""
    found = _FUNCTION_ARN.match(text)
    if found:
        return found["name"]
    bare = text.partition(":")[0]
    return bare if _FUNCTION_NAME.fullmatch(bare) and bare != "arn" else ""


def _task_texts(definition: str) -> Iterator[tuple[str, str]]:
    """``Resource`` ARNs of functions, and the names of functions and endpoints in parameters."""
    for _, state in states_of(json_or_none(definition)):
        resource = state.get("Resource")
        if isinstance(resource, str) and ":lambda:" in resource and ":function:" in resource:
            yield "Resource", resource
        for block in ("Parameters", "Arguments"):
            given = state.get(block)
            for key in ("FunctionName", "EndpointName"):
                if isinstance(given, Mapping) and isinstance(given.get(key), str):
                    yield key, given[key]


def states_of(value: object, depth: int = _MAX_NESTING) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every state of a parsed definition by name, those inside Map and Parallel included."""
    if not depth or not isinstance(value, Mapping):
        return
    states = value.get("States")
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if isinstance(state, Mapping):
            yield str(name), state
            branches = state.get("Branches")
            nested = branches if isinstance(branches, list) else []
            for inner in (state.get("ItemProcessor"), state.get("Iterator"), *nested):
                yield from states_of(inner, depth - 1)
