"""Filter patterns of CloudWatch Logs: terms, JSON, words and regular expressions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.errors import AwsError
from localcloud.log_patterns import compile_pattern

JSON = """{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "latency": 50.5,
"arrayKey": ["value", "another value"], "objectList": [{"name": "a", "id": 1}, {"id": 2}],
"SomeObject": null, "cluster.name": "c", "on": true, "status": 404}"""
LINE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        (" ", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("error", "[ERROR 400] BAD REQUEST", False),
        ("ERROR REQUEST", "[ERROR 400] BAD REQUEST", True),
        ("ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", False),
        ('"BAD REQUEST"', "[ERROR 400] BAD REQUEST", True),
        ('"REQUEST BAD"', "[ERROR 400] BAD REQUEST", False),
        (r'"a \"b\" c"', 'x a "b" c y', True),
        ("?ERROR ?WARN", "a WARN b", True),
        ("?ERROR ?WARN", "a INFO b", False),
        ('?"[ERROR]" ?WARN', "[ERROR] b", True),
        ("?ERROR ?WARN INFO", "a INFO b", True),
        ("ERROR -EXITING", "ERROR: EXITING", False),
        ('ERROR -"NOT NOW"', "ERROR: NOT then", True),
        ("%AUTHORI[SZ]ED%", "[ERROR 401] UNAUTHORIZED", True),
        (r"%\d{3}$%", "code 12", False),
        ("ERROR %4[0-9]{2}%", "ERROR 404", True),
    ],
)
def test_terms_are_words_phrases_alternatives_and_exclusions(pattern, message, expected):
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{ $.eventType = UpdateTrail }", True),
        ('{$.eventType="Update*"}', True),
        ("{ $.eventType != Up* }", False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress = %111\\.[0-9]+% }", True),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[1] = "value" }', False),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[*].id = 2 }", True),
        ("{ $.objectList[*].id = 3 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.eventType IS NULL }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.SomeObject EXISTS }", True),
        ("{ $.on IS TRUE }", True),
        ("{ $.on IS FALSE }", False),
        ("{ $['cluster.name'] = c }", True),
        ("{ $.latency > 50 && $.latency < 5.1e1 }", True),
        ("{ $.latency = 50.5 }", True),
        ("{ $.latency >= 51 }", False),
        ("{ $.eventType > 1 }", False),
        ("{ $.status = 4* }", True),
        ("{ $.none != x }", False),
        ("{ ($.status = 404) && ($.on IS FALSE || $.latency > 1) }", True),
        ("{ $.status = 404 || $.on IS FALSE && $.none = 1 }", True),
    ],
)
def test_a_json_pattern_compares_the_fields_of_a_message(pattern, expected):
    assert compile_pattern(pattern)(JSON) is expected


@pytest.mark.parametrize("message", ["no JSON", "5", '"text"', '{"a": '])
def test_a_json_pattern_matches_nothing_that_is_no_object(message):
    assert compile_pattern("{ $.a NOT EXISTS }")(message) is False


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, server, username, timestamp, request, status_code, bytes]", True),
        ("[ip, server, username, timestamp, request, status_code]", False),
        ("[ip, server, username, timestamp, request, status_code = 404, bytes]", True),
        ("[ip, server, username, timestamp, request, status_code = 4*, bytes > 2000]", False),
        ("[ip, server, user != frank, ...]", False),
        ("[..., request = *.html*, status_code = 4*, bytes]", True),
        ("[..., status_code = 500 || status_code = 404, bytes]", True),
        ("[..., status_code != 5* && status_code >= 400, bytes >= 1e3]", True),
        ("[ip = %127\\..+%, ...]", True),
        ('[ip, server, username, timestamp, request = "GET /index*", ...]', True),
    ],
)
def test_a_pattern_of_words_compares_them_in_order(pattern, expected):
    assert compile_pattern(pattern)(LINE) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "{ }", "{ $.a }", "{ $.a = }", "{ $.a > b }", "{ $.a = 1 && }", "{ ($.a = 1 }", "{ a = 1 }",
        "{ $.a IS maybe }", "{ $.a NOT here }", "{ $.a = 1 $.b = 2 }", "[a b]", "[a = ]", "[]",
        "%(a|b)%", "%[a%", "{ $.a ~ 1 }", '"open',
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(AwsError, match="Invalid filter pattern"):
        compile_pattern(pattern)


@given(st.text(alphabet='{}[]()$.ab1 =!<>&|,*%"?-\\', max_size=25), st.text(max_size=20))
def test_any_text_is_a_pattern_or_is_refused(pattern, message):
    try:
        matches = compile_pattern(pattern)
    except AwsError:
        return
    assert matches(message) in (True, False)
