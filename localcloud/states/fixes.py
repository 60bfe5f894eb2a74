"""Fixes of the vendored engine, applied on import, before the engine's own modules are imported.

Each replaces a function that the engine looks up by module attribute. ``set_lambda_invoker`` is
how a Task reaches our Lambda without a loopback HTTP call and a new boto3 client.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import jsonata
import jsonpath_ng
import jsonpath_ng.ext
import moto
from botocore.config import Config

# The engine wants one enumeration of ``moto.batch.utils``; the package around it would import all
# of EC2, which is half of the time that a start takes. It is imported as ever when it is asked for.
_BATCH = ModuleType("moto.batch")
_BATCH.__path__ = [str(Path(moto.__file__).with_name("batch"))]
sys.modules.setdefault("moto.batch", _BATCH)

# The engine parses every path each time it meets it, a third of its time: parsed paths are values.
jsonpath_ng.parse = lru_cache(4096)(jsonpath_ng.parse)  # type: ignore[attr-defined]
jsonpath_ng.ext.parse = lru_cache(4096)(jsonpath_ng.ext.parse)  # type: ignore[attr-defined]

# isort: split
from moto.stepfunctions.parser.asl.jsonata import jsonata as engine_jsonata  # noqa: E402

Invoker = Callable[[Mapping[str, Any], str], dict[str, Any]]


def _eval_jsonata(expression: str) -> Any:  # noqa: ANN401 - any JSON value
    """Evaluate by jsonata-python; the engine expects a Java library that is not there."""
    try:
        return jsonata.Jsonata(expression).evaluate(None)
    except (jsonata.JException, ValueError, TypeError, RecursionError) as error:
        raise engine_jsonata.JSONataException("UNKNOWN", str(error)) from error


def _declare(bindings: Mapping[str, Any]) -> str:
    """Variables as JSONata; the engine's own forgets to escape strings."""
    return "".join(f"{name}:={json.dumps(value, default=str)};" for name, value in bindings.items())


_endpoint_url = ""


@cache
def _client(service: str, region: str) -> Any:  # noqa: ANN401 - botocore makes clients at run time
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=_endpoint_url,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - this cloud takes any credentials
        config=Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            read_timeout=900,
            inject_host_prefix=False,
        ),
    )


def _client_for(region: str, service: str, state_credentials: object = None) -> Any:  # noqa: ANN401, ARG001 - the engine's signature
    """One client a service; the engine makes a new one for every Task."""
    return _client(service, region)


def _named_references(expression: str) -> set[str]:
    """The variables of an expression; ``$`` and ``$$``, legal inside predicates, are none."""
    if not expression:
        return set()
    found = engine_jsonata._PATTERN_VARIABLE_REFERENCE.findall(expression)  # noqa: SLF001
    return {name for name in found if name not in ("", "$", "$$")}


engine_jsonata._eval_jsonata = _eval_jsonata  # noqa: SLF001 - the engine's own hook
engine_jsonata.encode_jsonata_variable_declarations = _declare
engine_jsonata.extract_jsonata_variable_references = _named_references  # type: ignore[assignment]

from moto.stepfunctions.parser.asl.utils import boto_client  # noqa: E402 - after the fixes above

boto_client.boto_client_for = _client_for

from moto.stepfunctions.parser.api import HistoryEventType  # noqa: E402 - after the fixes above
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (  # noqa: E402
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (  # noqa: E402
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (  # noqa: E402
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import (  # noqa: E402
    StringJSONata,
)
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent  # noqa: E402
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_operator_type import (  # noqa: E402, E501
    ComparisonOperatorType,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_variable import (  # noqa: E402
    ComparisonVariable,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import (  # noqa: E402
    NoSuchVariable,
)
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import (  # noqa: E402
    StateChoice,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import (  # noqa: E402
    lambda_eval_utils,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails  # noqa: E402
from moto.stepfunctions.parser.asl.parse import asl_parser  # noqa: E402, F401 - needs the stub

_choose = StateChoice._eval_state  # noqa: SLF001 - wrapped below
_evaluate = StringJSONata._eval_body  # noqa: SLF001 - wrapped below


def _failure(env: Any, kind: StatesErrorNameType, cause: str, event: str) -> FailureEventException:  # noqa: ANN401 - the engine has no types
    """The engine's exception for an error; ``event`` is ``executionFailed``, say."""
    name = StatesErrorName(kind)
    details = {"error": name.error_name, "cause": cause}
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType(event[0].upper() + event[1:]),
            event_details=EventDetails(**{f"{event}EventDetails": details}),  # type: ignore[misc]
        )
    )


def _choose_or_fail(self: Any, env: Any) -> None:  # noqa: ANN401 - the engine has no types
    """A Choice without a match fails by its own name instead of ``States.Runtime``."""
    try:
        _choose(self, env)
    except RuntimeError as error:
        if "No branching option" not in str(error):
            raise
        cause = f"Failed to transition out of the state '{self.name}'. No choice rule matched."
        kind = StatesErrorNameType.StatesNoChoiceMatched
        raise _failure(env, kind, cause, "executionFailed") from error


def _compare_or_fail(self: Any, env: Any) -> None:  # noqa: ANN401 - the engine has no types
    """A comparison of a variable that is not there fails; the engine takes it for false."""
    self.variable.eval(env)
    asks_presence = self.comparison_function.operator_type == ComparisonOperatorType.IsPresent
    if isinstance(env.stack[-1], NoSuchVariable) and not asks_presence:
        path = self.variable.string_sampler.literal_value
        cause = (
            f"Invalid path '{path}': The choice state's condition path references an invalid value."
        )
        raise _failure(env, StatesErrorNameType.StatesRuntime, cause, "executionFailed")
    self.comparison_function.eval(env)


def _evaluate_or_fail(self: Any, env: Any) -> None:  # noqa: ANN401 - the engine has no types
    """An expression that cannot be evaluated fails by its own name, and the history says so."""
    try:
        _evaluate(self, env)
    except engine_jsonata.JSONataException as error:
        cause = (
            f"The JSONata expression '{self.expression}' threw an error during evaluation. "
            f"{error.details}"
        )
        kind = StatesErrorNameType.StatesQueryEvaluationError
        failure = _failure(env, kind, cause, "evaluationFailed")
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=EventDetails(  # type: ignore[typeddict-item]
                evaluationFailedEventDetails=failure.get_evaluation_failed_event_details()
            ),
        )
        raise failure from error


def _silent(self: Any, **failure: Any) -> None:  # noqa: ANN401 - the engine has no types
    """A failing state is in the history; the engine would print its syntax tree as well."""


EvalComponent._log_failure_event_exception = _silent  # type: ignore[method-assign, assignment]  # noqa: SLF001
EvalComponent._log_exception = _silent  # type: ignore[method-assign, assignment]  # noqa: SLF001
logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
StateChoice._eval_state = _choose_or_fail  # type: ignore[method-assign]  # noqa: SLF001
ComparisonVariable._eval_body = _compare_or_fail  # type: ignore[method-assign]  # noqa: SLF001
StringJSONata._eval_body = _evaluate_or_fail  # type: ignore[method-assign]  # noqa: SLF001


if sys.modules["moto.batch"] is _BATCH:
    del sys.modules["moto.batch"]


def set_endpoint_url(url: str) -> None:
    """Where Tasks that call other services find this cloud."""
    global _endpoint_url  # noqa: PLW0603 - the engine's clients are global too
    _endpoint_url = url
    _client.cache_clear()


def set_lambda_invoker(invoke: Invoker) -> None:
    """Let Tasks invoke Lambda functions in this process.

    Args:
        invoke: Takes the parameters of ``lambda:Invoke`` and the ARN of the role that asks, gives
            its response with ``Payload`` parsed; raises botocore's ``ClientError`` as a client
            would.
    """
    lambda_eval_utils._invoke_lambda_function = (  # noqa: SLF001
        lambda parameters, region, state_credentials: invoke(  # noqa: ARG005
            parameters, state_credentials.role_arn
        )
    )
