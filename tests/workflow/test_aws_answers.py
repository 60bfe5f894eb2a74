"""What is no answer of AWS is told from one."""

import pytest

from workflow.aws_answers import answer_problem, documented_names, header_problem, problem

MEMBERS = frozenset({"executions", "nextToken"})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"executions": []}', ""),
        (b"{}", ""),
        (b" \n", "It is empty."),
        (b"<!DOCTYPE html><title>Sign in</title>", "It is a web page."),
        (b'{"executions": [{"a', "It is not JSON, or was cut short."),
        (b"[]", "It is not a JSON object."),
        (b'{"status": "ok"}', "It holds nothing that was asked for, but 'status'."),
    ],
)
def test_a_body_that_is_not_of_aws_is_told(body: bytes, says: str) -> None:
    assert problem(body, MEMBERS, is_json=True) == says


def test_where_nothing_is_expected_a_web_page_or_half_an_answer_is_none_all_the_same() -> None:
    for body in (b"", b"{}", b'{"anything": 1}'):
        assert not problem(body, (), is_json=True)
    assert problem(b"<html>", (), is_json=False) == "It is a web page."
    assert problem(b'{"a', (), is_json=True) == "It is not JSON, or was cut short."
    assert not problem(b"<ListBucketResult/>", MEMBERS, is_json=False)


def test_an_object_without_an_etag_was_not_written() -> None:
    assert header_problem({"ETag", "x-amz-version-id"}, {"content-type"}) == "It has no ETag."
    assert not header_problem({"ETag"}, {"etag"})
    assert not header_problem({"x-amz-version-id"}, {"content-type"})


def test_the_members_of_an_answer_are_looked_for_where_its_model_puts_them() -> None:
    members = {
        "ETag": {"location": "header", "name": "etag"},
        "Contents": {"name": "content"},
        "Name": {},
    }

    assert documented_names(members, "header") == {"etag"}
    assert documented_names(members, None) == {"content", "Name"}
    assert answer_problem(members, (), b'{"Name": 1}', is_json=True) == "It has no ETag."
    assert answer_problem(members, {"ETag"}, b" ", is_json=True) == "It is empty."
    assert not answer_problem(members, {"ETag"}, None, is_json=True)
    assert not answer_problem(members, {"ETag"}, b'{"content": []}', is_json=True)
