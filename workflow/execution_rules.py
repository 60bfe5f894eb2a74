"""Execution rules: how the executions of one workflow are read and judged.

Executions of a workflow that ``deploy`` made have one shape and owe an inference. Those of any
other are read in any form, and a success is wrong only where its output says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from workflow.contract import LABELS
from workflow.executions import Execution, Failure, Outcome, Status
from workflow.foreign_outputs import inference_of
from workflow.image_search import find_image, image_at
from workflow.silent import (
    Inference,
    find_silent,
    image_of,
    outcome,
    read_inference,
    silent_failure,
)
from workflow.timelines import StateVisit
from workflow.watched import WatchedWorkflow

_UNUSABLE = frozenset({"Silent.NoInference", "Silent.EmptyInference", "Silent.MalformedInference"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRules:
    """By what the executions of a workflow are judged.

    Attributes:
        threshold: Confidence that a success needs where its output does not name another; 0 where
            none is known.
        classes: Names of the classes, by their index.
        foreign: Whether somebody else made the workflow.
        owes_inference: Whether a success without an inference is wrong.
        image_path: JSONPath of the image in the input; empty to look for it.
        fixed_image: The image that the definition itself names; empty where it does not.
    """

    threshold: float
    classes: tuple[str, ...] = LABELS
    foreign: bool = False
    owes_inference: bool = True
    image_path: str = ""
    fixed_image: str = ""

    def image(self, execution: Execution, visits: Iterable[StateVisit] = ()) -> str | None:
        """Return ``s3://bucket/key`` of the image, None where the execution names none."""
        if self.fixed_image:
            return self.fixed_image  # the machine ignores what the input names
        if self.image_path:
            return image_at(execution.input, self.image_path)
        known = image_of(execution.input)
        if known or not self.foreign:
            return known
        texts = [execution.input, execution.output]
        texts += [text for visit in visits for text in (visit.payload, visit.input, visit.output)]
        found = (image_of(text) or find_image(text) for text in texts)
        return next((image for image in found if image), None)

    def inference(
        self, execution: Execution, visits: Iterable[StateVisit] = ()
    ) -> Inference | None:
        """Return what the execution says of the image, None where it says nothing."""
        if self.foreign:
            return inference_of(execution.output, visits, self.classes)
        return read_inference(execution.output, self.classes)

    def outcome(self, execution: Execution, visits: Iterable[StateVisit] = ()) -> Outcome:
        """Return how the execution turned out."""
        visits = tuple(visits)
        found = outcome(execution, threshold=self.threshold)
        if self.foreign and found in (Outcome.SILENT, Outcome.ACCEPTED):
            return Outcome.SILENT if self.silent(execution, visits) else Outcome.ACCEPTED
        return found

    def silent(
        self,
        execution: Execution,
        visits: Iterable[StateVisit] = (),
        *,
        image: str | None = None,
    ) -> Failure | None:
        """Return why an execution that SUCCEEDED is wrong, None where it is not."""
        visits = tuple(visits)
        failure = silent_failure(execution, visits, threshold=self.threshold, image=image)
        if failure is None or not self.foreign:
            return failure
        said = find_silent(execution.output or "", threshold=self.threshold)
        # Below the threshold, or an error in the output: that holds in any workflow.
        if said is None or said.error not in _UNUSABLE:
            return failure
        if failure.error not in _UNUSABLE:
            return failure  # a state said an error that the last output hides
        found = self.inference(execution, visits)
        if found is None:
            # Without its states nothing is known: one of them may have given the inference.
            return failure if self.owes_inference and visits else None
        if found.confidence >= self.threshold:
            return None
        return _below_threshold(failure, found.confidence, self.threshold)

    def needs_history(self, execution: Execution) -> bool:
        """Tell whether only the states of a success can say what the inference was."""
        return (
            self.foreign
            and self.owes_inference
            and execution.status is Status.SUCCEEDED
            and self.inference(execution) is None
        )


def rules_of(workflow: WatchedWorkflow) -> ExecutionRules:
    """Return the rules of a watched workflow."""
    return ExecutionRules(
        threshold=workflow.stated_threshold,
        classes=workflow.classes,
        foreign=not workflow.deployed,
        owes_inference=workflow.owes_inference,
        image_path=workflow.image_path,
        fixed_image=workflow.fixed_image,
    )


def _below_threshold(failure: Failure, confidence: float, threshold: float) -> Failure:
    said = f"The confidence {confidence:.4f} is below the threshold {threshold:g}"
    return replace(
        failure, error="Silent.BelowThreshold", cause=f"{said}; the execution succeeded."
    )
