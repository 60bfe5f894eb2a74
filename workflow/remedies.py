"""Remedies: what a failure probably is, and what to do and to change before it can succeed.

What AWS, the functions and Python say is looked up in ``workflow.known_errors``; here are only the
silent failures, which this project finds itself, and the words around them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow.causes import Cause, is_rejection, read_cause
from workflow.executions import Failure, Kind
from workflow.known_errors import Blame, KnownError, Repair, find
from workflow.quoted_data import without_data

if TYPE_CHECKING:
    from collections.abc import Iterable

_KINDS: Final = {
    Blame.INPUT: Kind.BAD_INPUT,
    Blame.CODE: Kind.CODE,
    Blame.PERMISSION: Kind.PERMISSION,
    Blame.CONFIGURATION: Kind.FAULT,
    Blame.AWS: Kind.FAULT,
    Blame.CAPACITY: Kind.FAULT,
}
_NEXT: Final = {
    Repair.WAIT: " Then redrive.",
    Repair.SURROUNDINGS: " Then redrive.",
    Repair.CODE: " Deploy, then restart.",
    Repair.INPUT: " A redrive keeps the input, so it would fail the same way.",
}
_SILENT: Final = {
    ("Rejection", "BelowThreshold"): (
        "The confidence is below the threshold, but the execution SUCCEEDED.",
        "Let a Choice state send low confidence to a Fail state, as step_function.json does.",
    ),
    ("ErrorInOutput", "ServerError", "ClientError"): (
        '{state} answered with an error instead of raising it: "{message}".',
        "Raise an exception in the function: Step Functions takes any answer for a success.",
    ),
    ("EmptyInference", "NoInference"): (
        "The execution SUCCEEDED without an inference.",
        "Look whether the classifying state ran, and whether its output path drops `inferences`.",
    ),
    ("MalformedInference",): (
        "The inferences are not one probability for each class.",
        "Look at the endpoint's answer in its data capture; the last layer must be a softmax.",
    ),
}
_SILENT_PREFIX: Final = "Silent."
_MISSING_VARIABLE: Final = "MissingEnvironmentVariable"
_MESSAGE_CHARACTERS: Final = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a failure probably is and what to do about it.

    Attributes:
        kind: What sort of failure it is.
        cause: Probable cause, a sentence.
        remedy: What to do, a sentence or two.
        repair: What has to change before a redrive or restart can help; LOOK where nobody knows.
    """

    kind: Kind
    cause: str
    remedy: str
    repair: Repair


def diagnose(failure: Failure) -> Diagnosis:
    """Return the kind, probable cause and remedy of a failure; an unknown one says so."""
    if failure.kind is None and is_rejection(failure.error, failure.cause):
        return Diagnosis(
            kind=Kind.REJECTION,
            cause="The confidence is below the threshold: the image shows neither class clearly.",
            remedy="Nothing is broken. Review the image; if rejections grow, look at the drift of "
            "the inputs.",
            repair=Repair.NOTHING,
        )
    cause = read_cause(failure.error, failure.cause)
    if failure.error.startswith(_SILENT_PREFIX):
        return _diagnose_silent(failure, cause) or _diagnose_unknown(failure, cause)
    names = (_MISSING_VARIABLE,) if cause.lacks_variable else (cause.error, failure.error)
    message = without_data(cause.message)
    found = find(names, message)
    if found is None:
        return _diagnose_unknown(failure, cause)
    said = found.words(
        place=failure.state or "a state",
        message=message[:_MESSAGE_CHARACTERS] or "no cause is recorded",
        subject=f" ({failure.image})" if failure.image else "",
        image=failure.image or "of this execution",
        error=failure.error,
    )
    return Diagnosis(
        kind=_kind_of(found.row),
        cause=said.cause,
        remedy=f"{said.remedy}{_NEXT.get(found.row.repair, '')}",
        repair=found.row.repair,
    )


def _kind_of(row: KnownError) -> Kind:
    if row.slow:
        return Kind.TIMEOUT
    return Kind.THROTTLING if row.passes and row.blame is Blame.CAPACITY else _KINDS[row.blame]


def _diagnose_silent(failure: Failure, cause: Cause) -> Diagnosis | None:
    name = failure.error.removeprefix(_SILENT_PREFIX)
    found = next((words for names, words in _SILENT.items() if name in names), None)
    if found is None:
        return None
    message = cause.message[:_MESSAGE_CHARACTERS]
    return Diagnosis(
        kind=Kind.SILENT,
        cause=found[0].format(state=failure.state or "a state", message=message),
        remedy=f"{found[1]}{_NEXT[Repair.CODE]}",
        repair=Repair.CODE,
    )


def _diagnose_unknown(failure: Failure, cause: Cause) -> Diagnosis:
    text = cause.message[:_MESSAGE_CHARACTERS] or "no cause is recorded"
    return Diagnosis(
        kind=failure.kind or Kind.FAULT,
        cause=f"No known signature: {_join_errors(cause.error, failure.error)}, {text}.",
        remedy="Open an example execution and the log of its function, and ask who knows them: "
        "whether it passes by itself is not known.",
        repair=Repair.LOOK,
    )


def _join_errors(*errors: str) -> str:
    known: Iterable[str] = dict.fromkeys(filter(None, errors))
    return " in ".join(known) or "an error without name"
