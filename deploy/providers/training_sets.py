"""Training sets in S3: the list file of the built-in algorithm, and the names of the classes."""

from collections.abc import Sequence

from deploy.providers.clients import Aws, call_or_none
from workflow.class_names import complete_classes, training_classes
from workflow.contract import LABELS
from workflow.errors import WorkflowError

_CELLS = 3
"""Row, label and file name."""


def listed_labels(aws: Aws, address: str) -> list[int]:
    """Return the label of every image in a list file of the built-in algorithm.

    Args:
        aws: The account.
        address: ``s3://bucket/key`` of the list file.

    Raises:
        WorkflowError: ``TrainingDataMissing`` where there is no list, or an empty one;
            ``TrainingListInvalid`` where a line has another form.
    """
    lines = [line for line in _read_object(aws, address).splitlines() if line.strip()]
    if not lines:
        raise WorkflowError(
            "TrainingDataMissing",
            f"There is no list of images to train on: {address} is missing or empty.",
            "Upload it, a line an image: row, label and file name, with a tab between them; and"
            " test.lst likewise.",
        )
    return [
        _parse_label(line, f"Line {number} of {address}") for number, line in enumerate(lines, 1)
    ]


def _parse_label(line: bytes, where: str) -> int:
    cells = line.split(b"\t")
    try:
        label = float(cells[1]) if len(cells) == _CELLS else -1.0
    except ValueError:
        label = -1.0
    if label < 0 or not label.is_integer():
        raise WorkflowError(
            "TrainingListInvalid",
            f"{where} is not row, label and file name with tabs between.",
            "Correct the line; labels are whole numbers from 0.",
        )
    return int(label)


def class_names(aws: Aws, prefix: str, labels: Sequence[int]) -> tuple[str, ...]:
    """Return names of the classes that are trained on, by their labels.

    They are those of the ``manifest.json`` beside the list. What it does not name is numbered,
    or, of two classes, called as in the workflow.

    Args:
        aws: The account.
        prefix: ``s3://bucket/prefix`` of the training set.
        labels: Label of every image.
    """
    named = training_classes(_read_object(aws, f"{prefix.rstrip('/')}/manifest.json"))
    return complete_classes(named, max(len(LABELS), max(labels) + 1))


def _read_object(aws: Aws, address: str) -> bytes:
    """Return an object; nothing where there is none."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    answer = call_or_none(
        lambda: aws.s3.get_object(Bucket=bucket, Key=key), "NoSuchKey", "NoSuchBucket"
    )
    return answer["Body"].read() if answer else b""
