"""FilterInferences: decides whether the confidence of an execution meets the threshold.

Takes and gives the flat object of ``workflow.contract``; ``SCONES_THRESHOLD`` is the threshold,
``SCONES_CLASSES`` names the classes of the model.
Needs no permission: the state machine turns ``meets_threshold`` false into a rejection.
"""

import os
from typing import Any

from workflow import contract

_THRESHOLD = float(os.environ["SCONES_THRESHOLD"])
_CLASSES = contract.read_classes(os.environ.get("SCONES_CLASSES"))


def handler(event: object, context: Any) -> contract.State:  # noqa: ANN401 - Lambda's own object
    """Add ``meets_threshold`` and the ``threshold`` it was measured against.

    Raises:
        BadInference: The state holds no probabilities to decide on.
        InvalidInput: The event is no state of the workflow.
    """
    state = contract.unwrap(event)
    decided = contract.with_decision(state, _THRESHOLD, _CLASSES)
    print(  # noqa: T201 - what a function prints is its log
        contract.log_line(
            "inference_filtered",
            label=decided["label"],
            confidence=decided["confidence"],
            threshold=_THRESHOLD,
            meets_threshold=decided["meets_threshold"],
            execution_arn=state.get("execution_arn"),
            request_id=context.aws_request_id,
        )
    )
    return decided
