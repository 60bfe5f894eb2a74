"""What every page shows alike."""

from streamlit.testing.v1 import AppTest


def parts() -> None:
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - a script of its own

    from dashboard.shared import components  # noqa: PLC0415
    from workflow.errors import WorkflowError  # noqa: PLC0415
    from workflow.executions import Outcome  # noqa: PLC0415

    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    components.page_header("Title", "What it is for.")
    components.as_of(now - timedelta(minutes=3), now)
    components.empty_state("Nothing yet", "There will be.")
    components.outcome_counts({Outcome.ACCEPTED: 2, Outcome.REJECTED: 0, Outcome.FAULTED: 1})
    with components.show_errors():
        raise WorkflowError("Broken", "file*name* broke.", "Run `make run`.")


def test_the_parts_of_a_page() -> None:
    test = AppTest.from_function(parts).run(timeout=60)

    assert not test.exception
    assert test.title[0].value == "Title"
    captions = [caption.value for caption in test.caption]
    assert captions == ["What it is for.", "As of 11:57:00 UTC, 3 min ago", "There will be."]
    assert test.markdown[-1].value == (
        ":green-badge[:material/check_circle: 2 accepted] :red-badge[:material/error: 1 fault]"
    )
    assert test.error[0].value == (
        r"**file\*name\* broke.**" "  \nRun `make run`.  \n:gray[Broken]"
    )


def test_a_job_that_ends_by_an_error_nobody_foresaw_has_an_end_on_the_page() -> None:
    def page() -> None:
        from dashboard.shared import components  # noqa: PLC0415
        from dashboard.shared.jobs import Job  # noqa: PLC0415

        def fail(_: object) -> None:
            raise AttributeError("odd")

        job = Job("Classifying")
        job.run(fail)
        components.job_failure(job, "batch-1")

    test = AppTest.from_function(page).run(timeout=60)

    assert not test.exception
    assert "Classifying ended with an unexpected error" in test.error[0].value
    assert [one.label for one in test.button] == ["Try again"]


def test_files_that_a_new_server_does_not_have_are_named() -> None:
    def page() -> None:
        from unittest import mock  # noqa: PLC0415 - the script of the page

        import streamlit as st  # noqa: PLC0415
        from streamlit.runtime.uploaded_file_manager import DeletedFile  # noqa: PLC0415

        from dashboard.classify import panel as classify  # noqa: PLC0415

        st.session_state["files"] = [DeletedFile("1"), DeletedFile("2")]
        with mock.patch.object(st, "file_uploader", return_value=[]):
            classify.chosen_files()

    test = AppTest.from_function(page).run(timeout=60)

    assert not test.exception
    assert "2 of the chosen files are no longer here" in test.error[0].value
