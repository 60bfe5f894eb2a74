"""Rules: which fields a state of each type may have, and what each must hold.

https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html and
https://states-language.net/spec.html
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from workflow.asl import intrinsics, paths, queries
from workflow.asl.intrinsics import InvalidCall
from workflow.asl.paths import InvalidPath
from workflow.asl.times import read_time

# A check gives what is wrong with a value, or None.
Check = Callable[[Any], str | None]

LONGEST_SECONDS: Final = 99_999_999
_PERCENT: Final = 100
_LABEL_LIMIT: Final = 40
_PATHS: Final = ("InputPath", "OutputPath")
_RESULTS: Final = ("ResultPath", "ResultSelector")
_AFTER: Final = ("Next", "End", "Assign")
_HANDLERS: Final = ("Retry", "Catch")
_MAP: Final = (
    "ItemSelector",
    "ItemProcessor",
    "Iterator",
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "MaxConcurrency",
    "ToleratedFailureCount",
    "ToleratedFailurePercentage",
    *_HANDLERS,
    *_AFTER,
)
_TASK: Final = (
    "Resource",
    "TimeoutSeconds",
    "HeartbeatSeconds",
    "Credentials",
    *_HANDLERS,
    *_AFTER,
)
TYPES: Final = ("Task", "Pass", "Wait", "Choice", "Parallel", "Map", "Succeed", "Fail")
COMMON: Final = ("Type", "Comment", "QueryLanguage")
_JSONPATH: Final[dict[str, tuple[str, ...]]] = {
    "Task": (
        *_TASK, *_PATHS, *_RESULTS, "Parameters", "TimeoutSecondsPath", "HeartbeatSecondsPath",
    ),
    "Pass": (*_PATHS, "ResultPath", "Parameters", "Result", *_AFTER),
    "Wait": (*_PATHS, "Seconds", "Timestamp", "SecondsPath", "TimestampPath", *_AFTER),
    "Choice": (*_PATHS, "Choices", "Default", "Assign"),
    "Parallel": (*_PATHS, *_RESULTS, "Parameters", "Branches", *_HANDLERS, *_AFTER),
    "Map": (
        *_MAP, *_PATHS, *_RESULTS, "Parameters", "ItemsPath", "MaxConcurrencyPath",
        "ToleratedFailureCountPath", "ToleratedFailurePercentagePath",
    ),
    "Succeed": _PATHS,
    "Fail": ("Error", "Cause", "ErrorPath", "CausePath"),
}  # fmt: skip
_JSONATA: Final[dict[str, tuple[str, ...]]] = {
    "Task": (*_TASK, "Arguments", "Output"),
    "Pass": ("Output", *_AFTER),
    "Wait": ("Seconds", "Timestamp", "Output", *_AFTER),
    "Choice": ("Choices", "Default", "Output", "Assign"),
    "Parallel": ("Branches", "Arguments", "Output", *_HANDLERS, *_AFTER),
    "Map": (*_MAP, "Items", "Output"),
    "Succeed": ("Output",),
    "Fail": ("Error", "Cause"),
}
# Fields of which a state may have one only.
EXCLUSIVE: Final = (
    ("Seconds", "Timestamp", "SecondsPath", "TimestampPath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
    ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
    ("ItemProcessor", "Iterator"),
    ("ItemsPath", "ItemReader"),
    ("Items", "ItemReader"),
)
# What the parameters of optimized integrations need and take.
REQUIRED_PARAMETERS: Final = {
    "lambda:invoke": ("FunctionName",),
    "sqs:sendMessage": ("QueueUrl", "MessageBody"),
    "states:startExecution": ("StateMachineArn",),
}
LAMBDA_PARAMETERS: Final = (
    "ClientContext", "FunctionName", "InvocationType", "LogType", "Payload", "Qualifier",
)  # fmt: skip


def allowed_fields(kind: str, *, jsonata: bool) -> tuple[str, ...]:
    """Return the fields that a state of a type may have."""
    return (*COMMON, *(_JSONATA if jsonata else _JSONPATH)[kind])


def known_in_other_language(kind: str, field: str, *, jsonata: bool) -> bool:
    """Return whether a field belongs to states of the type in the other query language."""
    return field in (_JSONPATH if jsonata else _JSONATA)[kind]


def check_text(value: object) -> str | None:
    """Check for a string."""
    return None if isinstance(value, str) else "Expected value of type String"


def check_path(value: object) -> str | None:
    """Check for a path."""
    try:
        paths.parse(value if isinstance(value, str) else "")
    except InvalidPath:
        return "Value is not a valid JSONPath"
    return None


def check_optional_path(value: object) -> str | None:
    """Check for a path or null."""
    return None if value is None else check_path(value)


def check_result_path(value: object) -> str | None:
    """Check for a path to one place in the input, or null."""
    if value is None:
        return None
    wrong = check_path(value)
    if wrong is None and not paths.parse(str(value)).is_reference:
        return "Value is not a Reference Path"
    return wrong


def check_dynamic(value: object) -> str | None:
    """Check for a path or a call of an intrinsic function."""
    if not isinstance(value, str):
        return "must be a valid JSONPath or a valid intrinsic function call"
    try:
        intrinsics.parse(value) if intrinsics.is_call(value) else paths.parse(value)
    except (InvalidCall, InvalidPath):
        return "must be a valid JSONPath or a valid intrinsic function call"
    return None


def check_expression_path(value: object) -> str | None:
    """Check an ErrorPath or CausePath: a path or a call."""
    return None if check_dynamic(value) is None else "Value is not a valid JSONPath"


def number_between(least: float, most: float, *, whole: bool = True) -> Check:
    """Return a check for numbers within bounds."""

    def check(value: object) -> str | None:
        kind = int if whole else int | float
        # Python's bool is an int; JSON's true is no number.
        if isinstance(value, bool) or not isinstance(value, kind):
            return f"Expected value of type {'Integer' if whole else 'Number'}"
        if not least <= value <= most:
            return f"Value must be between {least} and {most}"
        return None

    return check


def one_of(*values: str) -> Check:
    """Return a check for one of a few words."""
    return lambda value: None if value in values else f"Value must be one of [{', '.join(values)}]"


def check_time(value: object) -> str | None:
    """Check for a timestamp."""
    if read_time(value) is None:
        return "Value is not a valid ISO-8601 extended offset date-time"
    return None


def check_resource(value: object) -> str | None:
    """Check for the ARN that a Task calls."""
    if not isinstance(value, str):
        return "Expected value of type String"
    # The resource part may hold colons itself, such as the version of a function.
    parts = value.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[2] or not parts[5]:  # noqa: PLR2004 - an ARN
        return "Value is not a valid resource ARN"
    return None


def check_flag(value: object) -> str | None:
    """Check for a boolean."""
    return None if isinstance(value, bool) else "Expected value of type Boolean"


def check_number(value: object) -> str | None:
    """Check for a number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if number else "Expected value of type Number"


def check_object(value: object) -> str | None:
    """Check for an object."""
    return None if isinstance(value, Mapping) else "Expected value of type Object"


def check_array(value: object) -> str | None:
    """Check for an array."""
    return None if isinstance(value, list) else "Expected value of type Array"


def check_list(value: object) -> str | None:
    """Return an array that holds something."""
    return None if isinstance(value, list) and value else "Expected a non-empty array"


def check_label(value: object) -> str | None:
    """Check for the label of a distributed Map."""
    if not isinstance(value, str) or not 1 <= len(value) <= _LABEL_LIMIT:
        return f"Label must have 1 to {_LABEL_LIMIT} characters"
    # Characters that the names of Map Runs may not have (developer guide, Label).
    wrong = set(value) & set(' ?*<>{}[]:;,\\|^~$#%&`"')
    return f"Label must not contain {' '.join(sorted(wrong))}" if wrong else None


_SECONDS: Final = number_between(1, LONGEST_SECONDS)
FIELDS: Final[dict[str, Check]] = {
    "Comment": check_text,
    "InputPath": check_optional_path,
    "OutputPath": check_optional_path,
    "ResultPath": check_result_path,
    "ItemsPath": check_path,
    "ErrorPath": check_expression_path,
    "CausePath": check_expression_path,
    "SecondsPath": check_path,
    "TimestampPath": check_path,
    "TimeoutSecondsPath": check_path,
    "HeartbeatSecondsPath": check_path,
    "MaxConcurrencyPath": check_path,
    "ToleratedFailureCountPath": check_path,
    "ToleratedFailurePercentagePath": check_path,
    "Seconds": number_between(0, LONGEST_SECONDS),
    "Timestamp": check_time,
    "TimeoutSeconds": _SECONDS,
    "HeartbeatSeconds": _SECONDS,
    "MaxConcurrency": number_between(0, LONGEST_SECONDS),
    "ToleratedFailureCount": number_between(0, LONGEST_SECONDS),
    "ToleratedFailurePercentage": number_between(0, _PERCENT, whole=False),
    "Error": check_text,
    "Cause": check_text,
    "Resource": check_resource,
    "Next": check_text,
    "Default": check_text,
    "End": check_flag,
    "Assign": check_object,
    "ResultSelector": check_object,
    "Parameters": check_object,
    "ItemSelector": check_object,
    "Items": check_array,
    "Version": check_text,
    "Choices": check_list,
    "Branches": check_list,
    "Retry": check_array,
    "Catch": check_array,
    "Label": check_label,
    "QueryLanguage": one_of("JSONPath", "JSONata"),
}
RETRY: Final[dict[str, Check]] = {
    "Comment": check_text,
    "ErrorEquals": check_list,
    "IntervalSeconds": _SECONDS,
    "MaxAttempts": number_between(0, LONGEST_SECONDS),
    "BackoffRate": number_between(1, LONGEST_SECONDS, whole=False),
    "MaxDelaySeconds": number_between(1, LONGEST_SECONDS),
    "JitterStrategy": one_of("FULL", "NONE"),
}
CATCH: Final[dict[str, Check]] = {
    "Comment": check_text,
    "ErrorEquals": check_list,
    "Next": check_text,
    "Assign": check_object,
}
COMPARED: Final[dict[str, Check]] = {
    "String": check_text,
    "Numeric": check_number,
    "Boolean": check_flag,
    "Timestamp": check_time,
}
# Fields whose JSONata may be an expression, and whose strings are otherwise literals.
TEMPLATES: Final = ("Parameters", "ResultSelector", "ItemSelector", "Assign")


def check_expression(value: object) -> str | None:
    """Check for a JSONata expression that can be read."""
    text = queries.expression_of(value)
    if text is None:
        return "Value is not a JSONata expression"
    fault = queries.syntax_fault(text)
    return None if fault is None else f"Value is not a valid JSONata expression: {fault}"
