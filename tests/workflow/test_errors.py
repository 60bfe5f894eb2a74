"""WorkflowError says what happened and what to do, wherever it travels."""

import pickle

from workflow.errors import WorkflowError


def test_reads_as_one_sentence_and_its_remedy() -> None:
    error = WorkflowError("BucketNotFound", "There is no bucket b.", "Deploy first.")

    assert str(error) == "There is no bucket b. Deploy first."


def test_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(WorkflowError("Code", "Message.", "Remedy.")))  # noqa: S301 - our own

    assert (error.code, error.message, error.remedy) == ("Code", "Message.", "Remedy.")
