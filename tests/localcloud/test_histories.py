"""Histories and payloads as they are kept: byte for byte, once, and not for ever."""

import base64
import hashlib
import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.aws_like.account import HistoryLimits
from localcloud.states.executions import Executions
from localcloud.states.payloads import Payloads
from localcloud.states.retention import Retention
from localcloud.store import Store
from workflow.errors import WorkflowError


def photo_of(number):
    return base64.b64encode(hashlib.shake_256(str(number).encode()).digest(30_000)).decode()


PHOTO = photo_of(0)
DAY = 86_400.0
NOW = 1_700_000_000.0


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def executions(store):
    return Executions(store)


def execution(name, *, stop=None, **body):
    return {
        "arn": f"arn:aws:states:us-east-1:123456789012:execution:m:{name}",
        "machine": "m",
        "version": None,
        "alias": None,
        "name": name,
        "status": "RUNNING" if stop is None else "SUCCEEDED",
        "start": NOW,
        "stop": stop,
        "redrives": 0,
        "body": {"input": "{}", **body},
    }


def event(number, text="{}"):
    details = {"output": text, "outputDetails": {"truncated": False}}
    return {
        "timestamp": NOW,
        "type": "TaskStateExited",
        "id": number,
        "previousEventId": number - 1,
        "stateExitedEventDetails": details,
    }


def ended(executions, name, *, stop=NOW, photo=PHOTO, events=5):
    one = execution(name, stop=stop, output=json.dumps({"image": photo}))
    body = json.dumps({"image_data": photo})
    executions.add_ended(one, [event(number + 1, body) for number in range(events)])
    return one["arn"]


def count(store, table):
    return store.execute(f"SELECT COUNT(*) FROM {table}")[0][0]  # noqa: S608 - own names


def size(store, table):
    return store.execute(f"SELECT TOTAL(LENGTH(body)) FROM {table}")[0][0]  # noqa: S608 - own names


def test_a_photo_of_many_events_and_executions_is_kept_once_as_bytes(executions, store):
    first, second = ended(executions, "first"), ended(executions, "second")

    assert count(store, "payloads") == 1
    assert size(store, "payloads") == 30_000
    assert size(store, "executions") + size(store, "ended_history") < 3_000
    for arn in (first, second):
        found = executions.read_events(arn, 0, 100, reverse=False)
        assert found == [
            event(number + 1, json.dumps({"image_data": PHOTO})) for number in range(5)
        ]
        assert executions.get(arn)["body"]["output"] == json.dumps({"image": PHOTO})


def test_deleting_one_of_two_executions_leaves_the_others_photo(executions, store):
    first, second = ended(executions, "first"), ended(executions, "second")
    executions.delete([first])
    assert PHOTO in json.dumps(executions.read_events(second, 0, 1, reverse=False))

    executions.delete([second])
    assert [count(store, table) for table in ("payloads", "payload_uses", "ended_history")] == [
        0
    ] * 3
    assert executions.history_bytes() == 0


def test_a_history_reads_the_same_before_and_after_its_end_and_a_redrive(executions):
    one = execution("one")
    executions.add(one)
    for number in (1, 2, 3):
        executions.write_event(one["arn"], event(number))
    written = executions.read_events(one["arn"], 0, 100, reverse=False)
    executions.save({**one, "status": "FAILED", "stop": NOW})
    assert executions.read_events(one["arn"], 0, 100, reverse=False) == written
    assert executions.last_event_id(one["arn"]) == 3

    executions.save({**one, "redrives": 1})
    executions.write_event(one["arn"], event(4))
    assert executions.last_event_id(one["arn"]) == 4
    executions.save({**one, "redrives": 1, "status": "SUCCEEDED", "stop": NOW})

    ids = [found["id"] for found in executions.read_events(one["arn"], 1, 2, reverse=False)]
    backwards = [found["id"] for found in executions.read_events(one["arn"], 0, 100, reverse=True)]
    assert (ids, backwards) == ([2, 3], [4, 3, 2, 1])


def test_what_an_earlier_version_wrote_is_read_and_counted(tmp_path):
    store = Store(tmp_path)
    store.run_script(
        "CREATE TABLE history (arn TEXT, id INTEGER, body TEXT, PRIMARY KEY (arn, id));"
    )
    body = json.dumps(event(1, PHOTO))
    store.execute("INSERT INTO history VALUES ('arn', 1, ?)", (body,))
    executions = Executions(store)

    assert executions.read_events("arn", 0, 1, reverse=False) == [event(1, PHOTO)]
    assert executions.history_bytes() == len(body)
    store.close()


def test_a_directory_of_the_former_schema_opens(tmp_path):
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "cloud.db") as db:
        db.execute("PRAGMA user_version = 1")
    db.close()
    store = Store(tmp_path)
    assert store.execute("PRAGMA user_version") == [(2,)]
    store.close()


def test_a_payload_that_is_missing_is_named(executions, store):
    arn = ended(executions, "one")
    store.execute("DELETE FROM payloads")
    with pytest.raises(WorkflowError, match=r"payload .* is missing") as raised:
        executions.read_events(arn, 0, 1, reverse=False)
    assert raised.value.code == "CloudCorrupt"


def test_a_damaged_history_is_named(executions, store):
    arn = ended(executions, "one")
    store.execute("UPDATE ended_history SET body = X'00'")
    with pytest.raises(WorkflowError) as raised:
        executions.read_events(arn, 0, 1, reverse=False)
    assert raised.value.code == "CloudCorrupt"


def test_a_page_of_executions_reads_no_payload(executions, store):
    ended(executions, "one")
    store.execute("DELETE FROM payloads")
    found, _ = executions.list_page("machine", "m", {}, 10, None)
    assert [one["name"] for one in found] == ["one"]


_BASE64 = st.binary(min_size=760, max_size=2_000).map(lambda data: base64.b64encode(data).decode())
_RUNS = st.text('ab/+=\\"', max_size=1_500)
_ANYTHING = st.text(max_size=50)


@given(st.lists(st.one_of(_BASE64, _RUNS, _ANYTHING), max_size=6))
def test_any_text_comes_back_byte_for_byte(tmp_path_factory, parts):
    store = Store(tmp_path_factory.mktemp("store"))
    payloads = Payloads(store)
    text = json.dumps({"input": json.dumps({"".join(parts): parts})})
    assert payloads.unpack(payloads.pack("arn", text)) == text
    store.close()


def test_executions_go_ninety_days_after_their_end(executions):
    old = ended(executions, "old", stop=NOW - 91 * DAY)
    young = ended(executions, "young", stop=NOW - 89 * DAY)
    running = execution("running")
    executions.add({**running, "start": NOW - 200 * DAY})

    assert Retention(executions, HistoryLimits()).forget_old(NOW) == 1
    assert executions.find(old) is None
    assert executions.read_events(old, 0, 10, reverse=False) == []
    assert executions.find(young)
    assert executions.find(running["arn"])


def test_the_oldest_executions_go_when_histories_take_more_than_their_limit(executions):
    for number in range(200):
        stop = NOW - 200 + number
        ended(executions, f"n{number:03}", stop=stop, photo=photo_of(number), events=1)
    limit = HistoryLimits(megabytes=4.0)

    Retention(executions, limit).forget_old(NOW)

    left, _ = executions.list_page("machine", "m", {}, 1_000, None)
    assert executions.history_bytes() <= 4e6
    assert sorted(one["name"] for one in left) == [f"n{number:03}" for number in range(100, 200)]


def test_the_room_of_forgotten_executions_is_used_again(executions, store):
    def fill(name):
        for number in range(100):
            ended(executions, f"{name}{number}", photo=photo_of(number))
        return store.execute("PRAGMA page_count")[0][0]

    first = fill("first")
    executions.delete(executions.of_machine("m"))
    assert fill("second") <= first * 1.05
