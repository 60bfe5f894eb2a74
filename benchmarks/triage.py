"""Grouping of failures: time at three sizes, beside the least that reading their causes costs.

Run: ``python -m benchmarks.triage``. The failures are of seven problems; every message holds its
own key, number and request id, so that nothing can be remembered from one to the next. The limit
decodes each cause and counts its error, which any grouping has to do; the peer masks with one
regular expression a kind, in turn, as a first version would.
"""

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from workflow.causes import read_cause
from workflow.executions import Failure
from workflow.fingerprints import MASKS, normalised
from workflow.triage import group

START = datetime(2026, 11, 20, tzinfo=UTC)
NOW = START + timedelta(days=1)
PROBLEMS = (
    "There is no object for s3://images/{id}.png. Upload the image first, or correct the key.",
    "The endpoint scones cannot answer now (ThrottlingException: request {id}, {n} ms).",
    "An error occurred (AccessDenied) when calling the GetObject operation for key a/{id}.jpg",
    "Confidence is missing in the answer {n} of request {id}",
    "The probabilities [0.{n}, 0.2] sum to 0.{n}, not to 1. Look at the last layer of the model.",
    "2026-11-20T12:00:00.000Z {id} Task timed out after {n}.00 seconds",
    "Unable to import module 'handler': No module named 'PIL' (/var/task/{id})",
)
FRAME = '  File "/var/task/lambdas/classify_image/handler.py", line 15, in handler\n    ask()\n'


def failures(count: int) -> list[Failure]:
    """As many failures of the seven problems, over a day."""
    made = []
    for number in range(count):
        problem = number % len(PROBLEMS)
        message = PROBLEMS[problem].format(id=uuid.UUID(int=number * 2**64), n=number)
        told = {"errorMessage": message, "errorType": f"Problem{problem}", "stackTrace": [FRAME]}
        made.append(
            Failure(
                execution_arn=f"arn:aws:states:eu-west-1:123456789012:execution:scones:{number}",
                state="ClassifyImage",
                error=f"Problem{problem}",
                cause=json.dumps(told),
                failed_at=START + timedelta(days=number / count),
                version=str(number % 5),
                image=f"s3://images/{number}.png",
            )
        )
    return made


def least(given: Sequence[Failure]) -> int:
    """Decode every cause and count its error."""
    return len(Counter(msgspec.json.decode(one.cause)["errorType"] for one in given))


def mask_by_mask(given: Sequence[Failure]) -> int:
    """Group by state, error and message, masked by one pattern after the other."""
    patterns = [re.compile(pattern) for _, pattern in MASKS]
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in given:
        message = read_cause(one.error, one.cause).message
        for pattern in patterns:
            message = pattern.sub("*", message)
        counts[one.state, one.error, message] += 1
    return len(counts)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of three runs."""
    best = float("inf")
    for _ in range(3):
        normalised.cache_clear()
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def main() -> None:
    """Print one line a size."""
    print("failures  groups  CPU s   us each   x the limit   faster than mask by mask")
    for count in (1_000, 10_000, 100_000):
        given = failures(count)
        groups = len(group(given, (), now=NOW))
        ours = seconds(lambda given=given: group(given, (), now=NOW))
        limit = seconds(lambda given=given: least(given))
        peer = seconds(lambda given=given: mask_by_mask(given))
        each = ours / count * 1e6
        print(
            f"{count:>8,}  {groups:>6}  {ours:>5.2f}  {each:>8.1f}  {ours / limit:>12.1f}"
            f"  {peer / ours:>24.1f}"
        )


if __name__ == "__main__":
    main()
