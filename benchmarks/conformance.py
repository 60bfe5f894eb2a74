"""Conformance: state machines with the outcome that AWS gave, run by our interpreter in process.

`make conformance` runs the cases of tests/cases/asl; `make conformance RECORDED=file` runs a file
of recordings as well: a JSON list of `name`, `group`, `definition`, `input`, `status`, `output`,
`error`, `cause`, `event_types`. Placeholders in recordings (`<...>`, `date`) match anything.
"""

import json
import re
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from localcloud.errors import AwsError
from localcloud.states.definitions import check_definition
from localcloud.states.engine import Ending, ExecutionRequest, Run
from localcloud.states.history import Event
from localcloud.states.services import CloudServices
from localcloud.states.tokens import Tokens

OWN = Path(__file__).parents[1] / "tests" / "cases" / "asl"
ARN = "arn:aws:states:us-east-1:123456789012"
SECONDS = 20.0
STILL_WAITING = 1.0
PLACEHOLDER = re.compile(r"<[\w:-]+>|1{12}")
GENERATED = ("date", "timestamp", "generated-uuid", "snf_role_arn")
# AWS records them; the normalisation of the recordings drops them with the order of branches.
PARALLEL = ("ParallelStateSucceeded", "ParallelStateExited")
ASPECTS = ("status", "outcome", "events")


def _no_service(*_: object) -> Any:  # noqa: ANN401 - it never answers
    raise AwsError("NotImplemented", "What calls a service is not the core of the language.")


def run(case: dict[str, Any]) -> tuple[list[Event], Ending]:
    """Return the history of a case and how it ended."""
    history: list[Event] = []
    endings: list[Ending] = []
    definition, text = json.dumps(case["definition"]), json.dumps(case["input"])
    check_definition(definition)
    job = ExecutionRequest(
        execution_arn=f"{ARN}:execution:machine-name:execution-name",
        name="execution-name",
        machine_arn=f"{ARN}:stateMachine:machine-name",
        machine_name="machine-name",
        machine_type="STANDARD",
        role_arn="arn:aws:iam::123456789012:role/r",
        definition=definition,
        input=text,
        started=time.time(),
        first_event={
            "type": "ExecutionStarted",
            "details": {"executionStartedEventDetails": {"input": text}},
        },
        last_event_id=0,
        variables={},
    )
    running = Run(job, CloudServices(*[_no_service] * 3), Tokens(), history.append, endings.append)
    running.start()
    endless = case["status"] not in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
    if not running.wait(STILL_WAITING if endless else SECONDS):
        events = list(history)
        running.stop(None, None)
        kind = events[-1]["type"].upper() if endless else "RUNNING"
        return events, Ending(status=kind, stopped=0)
    return history, endings[0]


def same(recorded: object, found: object) -> bool:
    """Return whether a value is what was recorded, whatever stands for its placeholders."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        return recorded.keys() == found.keys() and all(
            same(recorded[key], found[key]) for key in recorded
        )
    if isinstance(recorded, list) and isinstance(found, list):
        return len(recorded) == len(found) and all(map(same, recorded, found))
    if isinstance(recorded, str) and isinstance(found, str):
        if recorded in GENERATED:
            return True
        parts = [re.escape(part) for part in PLACEHOLDER.split(recorded)]
        return re.fullmatch(".*".join(parts), found, re.DOTALL) is not None
    return bool(recorded == found) and isinstance(recorded, bool) == isinstance(found, bool)


def parsed(output: object) -> object:
    """Return an output that was recorded as JSON text, parsed."""
    try:
        return json.loads(output) if isinstance(output, str) else output
    except ValueError:
        return output


def same_events(recorded: list[str], found: list[str]) -> bool:
    """Return whether the types are those recorded: in order, but for the branches of a Parallel."""
    if "ParallelStateStarted" not in recorded:
        return recorded == found
    counts = [Counter(t for t in types if t not in PARALLEL) for types in (recorded, found)]
    return counts[0] == counts[1] and recorded[-1] == found[-1]


def differences(case: dict[str, Any]) -> dict[str, str]:
    """Return what differs from the recording, by aspect."""
    try:
        history, ending = run(case)
    except AwsError as error:
        return dict.fromkeys(ASPECTS, f"refused: {error.message}")
    found: dict[str, str] = {}
    if ending.status != case["status"]:
        found["status"] = f"{ending.status}, not {case['status']}: {ending.cause}"
    output = None if ending.output is None else json.loads(ending.output)
    pairs = (
        ("output", parsed(case.get("output")), output),
        ("error", case.get("error"), ending.error),
        ("cause", case.get("cause"), ending.cause),
    )
    expected = case.get("compared", ("output", "error", "cause"))
    wrong = [f"{n}: {g!r}, not {w!r}" for n, w, g in pairs if n in expected and not same(w, g)]
    if wrong:
        found["outcome"] = "; ".join(wrong)
    types = [event["type"] for event in history]
    if "event_types" in case and not same_events(case["event_types"], types):
        found["events"] = f"{' '.join(types)}\n      not {' '.join(case['event_types'])}"
    return found


def own_cases() -> list[dict[str, Any]]:
    """Return the committed cases that call no service."""
    cases = []
    for path in sorted(OWN.glob("*.json")):
        case = json.loads(path.read_text())
        if '"Task"' not in path.read_text():
            expected = case["expected"]
            compared = [key for key in ("output", "error", "cause") if key in expected]
            cases.append({**case, **expected, "name": path.stem, "group": "own",
                          "compared": compared})  # fmt: skip
    return cases


def main(paths: list[str]) -> int:
    """Run everything; 0 where nothing differs."""
    cases = own_cases()
    for path in paths:
        cases += json.loads(Path(path).read_text())
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    failures = []
    for case in cases:
        found = differences(case)
        for group in (case["group"], "all"):
            counts[group]["cases"] += 1
            counts[group].update(aspect for aspect in ASPECTS if aspect not in found)
        failures += [f"{case['name']}: {aspect}: {text}" for aspect, text in found.items()]
    for group, row in counts.items():
        shares = "  ".join(f"{a} {row[a]}/{row['cases']}" for a in ASPECTS)
        print(f"{group:55} {shares}")
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
