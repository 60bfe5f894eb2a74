"""A visitor of pages that watch a workflow of somebody else, with and without permissions."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import streamlit as st
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from dashboard.aws import cloud as aws_cloud

APP = Path(__file__).parents[3] / "dashboard" / "app.py"
SECONDS = 60


@pytest.fixture
def visit(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of a workflow, as somebody who may not make some calls."""

    def run(page: str, reference: str, *denied: str, **variables: str) -> AppTest:
        for name, value in {**environ, **variables}.items():
            monkeypatch.setenv(name, value)
        make = aws_cloud._make_session

        def session(*given: Any) -> boto3.Session:
            made = make(*given)
            for operation in denied:
                made.events.register(f"before-call.*.{operation}", refused(operation))
            return made

        monkeypatch.setattr(aws_cloud, "_make_session", session)
        st.cache_resource.clear()
        st.cache_data.clear()
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
        test.switch_page(f"app_pages/{page}.py")
        if reference:
            test.query_params["workflow"] = reference
        return test.run()

    return run


@pytest.fixture
def seen() -> Callable[..., str]:
    """Run again until a page says all of some texts; what it says."""
    return look


def look(test: AppTest, *texts: str) -> str:
    """Likewise, for those who import it."""
    deadline = time.monotonic() + SECONDS
    while not all(text in said(test) for text in texts):
        assert not test.exception
        assert time.monotonic() < deadline, said(test)
        time.sleep(0.2)
        test.run()
    return said(test)


def refused(operation: str) -> Callable[..., None]:
    def refuse(**_: Any) -> None:
        message = "User: arn:aws:iam::123456789012:user/reader is not authorized"
        error: Any = {"Error": {"Code": "AccessDeniedException", "Message": message}}
        raise ClientError(error, operation)

    return refuse


def said(test: AppTest) -> str:
    told = [*test.markdown, *test.caption, *test.error, *test.warning, *test.info, *test.title]
    numbers = [f"{one.label} {one.value}" for one in test.metric]
    tables = [str(one.value.to_string()) for one in test.dataframe]
    return "\n".join([*(str(one.value) for one in told), *numbers, *tables]).replace("\\", "")
