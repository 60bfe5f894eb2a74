"""What keeps an object of captures or labels from being read."""

from typing import Final

from dashboard.aws.objects import ObjectMeta
from workflow.captures import CaptureError
from workflow.errors import WorkflowError

MAX_OBJECT_BYTES: Final = 256 << 20
"""Larger objects are named as errors and not read; SageMaker's are below 100 MB."""


def not_asked_for(meta: ObjectMeta) -> CaptureError:
    """Return why an object will not be read as long as it is what it is."""
    if meta.readable:
        reason, said = "object too large", f"{meta.size:,} bytes; captures are at most a few MB"
    else:
        reason = "key unreadable"
        said = "folder names that are empty, as in a//b, or dots; move or delete the object"
    return CaptureError(meta.key, 0, reason, said, lines=0)


def not_read(meta: ObjectMeta, error: WorkflowError) -> CaptureError:
    """Return why an object could not be read this time."""
    return CaptureError(meta.key, 0, error.code, error.message, lines=0)
