"""SQS: queues and their messages in SQLite, with visibility timeouts and long polling."""

import hashlib
import json
import re
import threading
import time
import uuid
import zlib
from typing import Any

from localcloud import message_attributes
from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.queue_settings import BODY_LIMIT, DEFAULTS, check_attributes, check_range
from localcloud.service import Service, monotonic_now, paginate
from localcloud.store import Store
from localcloud.tags import Tagged
from localcloud.wire import Call, Params
from workflow.errors import WorkflowError

_TABLE = """
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, queue TEXT, body TEXT, attributes TEXT, sent REAL, visible REAL,
    first REAL, receives INTEGER, receipt TEXT, system TEXT
);
CREATE INDEX IF NOT EXISTS messages_by_time ON messages (queue, visible);
"""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_BATCH = 10
_MEASURED_SECONDS = 60.0


class Queues(Service):
    """The ``sqs`` service: standard queues."""

    name = "sqs"

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        cloud.store.run_script(_TABLE)
        columns = cloud.store.execute("PRAGMA table_info(messages)")
        if "system" not in [column[1] for column in columns]:  # made by an earlier version
            cloud.store.run_script("ALTER TABLE messages ADD COLUMN system TEXT")
        self._queues = cloud.store.load_table("sqs.queue")
        self._tagged = Tagged(self._queues)
        self._arrived = threading.Condition()
        self._stop = threading.Event()

    def start(self) -> None:
        """Tell CloudWatch once a minute how old the oldest message of each queue is."""
        threading.Thread(target=self._measure_forever, daemon=True, name="queues").start()

    def close(self) -> None:
        """Stop measuring."""
        self._stop.set()

    def offer_message(
        self, arn: str, body: str, attributes: message_attributes.Attributes | None = None
    ) -> bool:
        """Send a message to the queue of an ARN; return False where there is none.

        Raises:
            AwsError: ``InvalidParameterValue`` for what the queue does not take.
        """
        name = arn.rpartition(":")[2]
        if name not in self._queues:
            return False
        self._store_message(name, {"MessageBody": body, "MessageAttributes": attributes or {}})
        return True

    # -- queues --------------------------------------------------------------------------------

    def create_queue(self, call: Call) -> Params:
        name, attributes = call.params["QueueName"], call.params.get("Attributes", {})
        if not _NAME.fullmatch(name):
            raise AwsError(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in "
                "length",
            )
        check_attributes(attributes)
        queue = self._queues.get(name)
        if queue is None:
            stamp = str(int(time.time()))
            made = {
                **DEFAULTS,
                **attributes,
                "QueueArn": self.cloud.build_arn("sqs", name),
                "CreatedTimestamp": stamp,
                "LastModifiedTimestamp": stamp,
            }
            self._queues[name] = {"attributes": made, "tags": call.params.get("tags", {})}
        # CreateQueue is idempotent for the same attributes, whichever of them are given.
        elif any(queue["attributes"].get(k) != v for k, v in attributes.items()):
            raise AwsError(
                "QueueNameExists",
                "A queue already exists with the same name and a different value for attribute(s).",
            )
        return {"QueueUrl": self._queue_url(name)}

    def delete_queue(self, call: Call) -> Params:
        name = self._queue_name(call.params)
        del self._queues[name]
        self.cloud.store.execute("DELETE FROM messages WHERE queue = ?", (name,))
        return {}

    def get_queue_url(self, call: Call) -> Params:
        name = call.params["QueueName"]
        owner = call.params.get("QueueOwnerAWSAccountId") or self.cloud.account
        if name not in self._queues or owner != self.cloud.account:
            raise _missing_error()
        return {"QueueUrl": self._queue_url(name)}

    def list_queues(self, call: Call) -> Params:
        prefix = call.params.get("QueueNamePrefix", "")
        names = [name for name in sorted(self._queues) if name.startswith(prefix)]
        p = call.params
        shown, token = paginate(names, p, size="MaxResults", token="NextToken", default=1000)  # noqa: S106 - a paging token
        return {"QueueUrls": [self._queue_url(n) for n in shown]} | (
            {"NextToken": token} if token else {}
        )

    def get_queue_attributes(self, call: Call) -> Params:
        name = self._queue_name(call.params)
        wanted = set(call.params.get("AttributeNames", []))
        moment = monotonic_now()
        self._drop_expired(name, moment)
        ((total, taken, delayed),) = self.cloud.store.execute(
            "SELECT COUNT(*), COALESCE(SUM(visible > ? AND receives > 0), 0), "
            "COALESCE(SUM(visible > ? AND receives = 0), 0) FROM messages WHERE queue = ?",
            (moment, moment, name),
        )
        attributes = {
            **self._queues[name]["attributes"],
            "ApproximateNumberOfMessages": str(total - taken - delayed),
            "ApproximateNumberOfMessagesNotVisible": str(taken),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
        }
        return {
            "Attributes": {k: v for k, v in attributes.items() if "All" in wanted or k in wanted}
        }

    def set_queue_attributes(self, call: Call) -> Params:
        name = self._queue_name(call.params)
        queue = self._queues[name]
        check_attributes(call.params["Attributes"])
        changed = {k: v for k, v in call.params["Attributes"].items() if v != ""}
        cleared = [k for k, v in call.params["Attributes"].items() if v == ""]
        defaults = {k: DEFAULTS[k] for k in cleared if k in DEFAULTS}
        kept = {k: v for k, v in queue["attributes"].items() if k not in cleared} | defaults
        stamp = {"LastModifiedTimestamp": str(int(time.time()))}
        self._queues[name] = {**queue, "attributes": {**kept, **changed, **stamp}}
        return {}

    def purge_queue(self, call: Call) -> Params:
        name = self._queue_name(call.params)
        self.cloud.store.execute("DELETE FROM messages WHERE queue = ?", (name,))
        return {}

    def tag_queue(self, call: Call) -> Params:
        return self._tagged.add_tags(self._queue_name(call.params), call.params["Tags"])

    def untag_queue(self, call: Call) -> Params:
        return self._tagged.remove_tags(self._queue_name(call.params), call.params["TagKeys"])

    def list_queue_tags(self, call: Call) -> Params:
        return {"Tags": self._tagged.get_tags(self._queue_name(call.params))}

    # -- messages ------------------------------------------------------------------------------

    def send_message(self, call: Call) -> Params:
        return self._store_message(self._queue_name(call.params), call.params)

    def send_message_batch(self, call: Call) -> Params:
        name = self._queue_name(call.params)
        entries = _check_batch(call.params["Entries"])
        if sum(message_attributes.message_size(entry) for entry in entries) > BODY_LIMIT:
            raise AwsError(
                "BatchRequestTooLong",
                f"Batch requests cannot be longer than {BODY_LIMIT} bytes.",
            )
        sent: list[Params] = []
        failed: list[Params] = []
        for entry in entries:
            try:
                sent.append({"Id": entry["Id"], **self._store_message(name, entry)})
            except AwsError as error:
                why = {"Code": error.code, "Message": error.message, "SenderFault": True}
                failed.append({"Id": entry["Id"], **why})
        return {"Successful": sent, "Failed": failed}

    def receive_message(self, call: Call) -> Params:
        p = call.params
        name = self._queue_name(p)
        attributes = self._queues[name]["attributes"]
        size = int(p.get("MaxNumberOfMessages", 1))
        if not 1 <= size <= _BATCH:
            raise AwsError("InvalidParameterValue", "MaxNumberOfMessages must be from 1 to 10.")
        hidden = p.get("VisibilityTimeout", attributes["VisibilityTimeout"])
        wait = p.get("WaitTimeSeconds", attributes["ReceiveMessageWaitTimeSeconds"])
        check_range("VisibilityTimeout", hidden, "InvalidParameterValue")
        check_range("ReceiveMessageWaitTimeSeconds", wait, "InvalidParameterValue")
        deadline = time.monotonic() + float(wait)
        with self._arrived:
            # Under the condition: no message can arrive unnoticed between the look and the wait.
            while not (taken := self._take_messages(name, size, float(hidden))):
                left = deadline - time.monotonic()
                if left <= 0:
                    return {}
                # A second at most, because a visibility timeout that passes notifies nobody.
                self._arrived.wait(min(left, 1.0))
        asked = {*p.get("AttributeNames", []), *p.get("MessageSystemAttributeNames", [])}
        named = p.get("MessageAttributeNames", [])
        sender = {"SenderId": self.cloud.account}  # that of the root user, as whom all is sent
        store = self.cloud.store
        messages = [_describe_message(store, {**row, **sender}, asked, named) for row in taken]
        return {"Messages": messages}

    def delete_message(self, call: Call) -> Params:
        self._delete_by_receipt(self._queue_name(call.params), call.params["ReceiptHandle"])
        return {}

    def delete_message_batch(self, call: Call) -> Params:
        name = self._queue_name(call.params)
        entries = _check_batch(call.params["Entries"])
        for entry in entries:
            self._delete_by_receipt(name, entry["ReceiptHandle"])
        return {"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []}

    def change_message_visibility(self, call: Call) -> Params:
        name, seconds = self._queue_name(call.params), call.params["VisibilityTimeout"]
        check_range("VisibilityTimeout", seconds, "InvalidParameterValue")
        self.cloud.store.execute(
            "UPDATE messages SET visible = ? WHERE queue = ? AND receipt = ?",
            (monotonic_now() + seconds, name, call.params["ReceiptHandle"]),
        )
        return {}

    # -- helpers -------------------------------------------------------------------------------

    def _queue_url(self, name: str) -> str:
        return f"{self.cloud.endpoint_url}/{self.cloud.account}/{name}"

    def _queue_name(self, params: Params) -> str:
        name = str(params["QueueUrl"]).rpartition("/")[2]
        if name not in self._queues:
            raise _missing_error()
        return name

    def _store_message(self, name: str, message: Params) -> Params:
        body, settings = message["MessageBody"], self._queues[name]["attributes"]
        limit = int(settings["MaximumMessageSize"])
        if message_attributes.message_size(message) > limit:
            raise AwsError(
                "InvalidParameterValue",
                f"One or more parameters are invalid. Reason: Message must be shorter than "
                f"{limit} bytes.",
            )
        attributes = message_attributes.check_all(message.get("MessageAttributes", {}))
        system = message_attributes.check_all(message.get("MessageSystemAttributes", {}))
        message_id = str(uuid.uuid4())
        sent = monotonic_now()
        delay = message.get("DelaySeconds")
        delay = settings["DelaySeconds"] if delay is None else delay
        check_range("DelaySeconds", delay, "InvalidParameterValue")
        self.cloud.store.execute(
            "INSERT INTO messages (id, queue, body, attributes, system, sent, visible, receives) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
            (
                message_id,
                name,
                zlib.compress(body.encode()),  # most are events, as long as their execution's input
                json.dumps(attributes),
                json.dumps(system),
                sent,
                sent + float(delay),
            ),
        )
        with self._arrived:
            self._arrived.notify_all()
        out = {"MessageId": message_id, "MD5OfMessageBody": _md5_hex(body)}
        if attributes:
            out["MD5OfMessageAttributes"] = message_attributes.md5_digest(attributes)
        if system:
            out["MD5OfMessageSystemAttributes"] = message_attributes.md5_digest(system)
        return out

    def _take_messages(self, name: str, size: int, hidden: float) -> list[dict[str, Any]]:
        if name not in self._queues:  # deleted while the caller was waiting
            raise _missing_error()
        moment = monotonic_now()
        self._drop_expired(name, moment)
        rows = self.cloud.store.execute(
            "SELECT id, body, attributes, system, sent, first, receives FROM messages "
            "WHERE queue = ? AND visible <= ? ORDER BY sent LIMIT ?",
            (name, moment, size),
        )
        fields = ("id", "body", "attributes", "system", "sent", "first", "receives")
        taken = []
        for row in rows:
            message = dict(zip(fields, row, strict=True))
            if isinstance(message["body"], bytes):  # earlier versions did not compress it
                message["body"] = self.cloud.store.decompress_text(message["body"])
            message["receives"] += 1
            message["first"] = message["first"] or moment
            message["receipt"] = uuid.uuid4().hex
            taken.append(message)
        self.cloud.store.execute_many(
            "UPDATE messages SET visible = ?, first = ?, receives = ?, receipt = ? WHERE id = ?",
            [(moment + hidden, m["first"], m["receives"], m["receipt"], m["id"]) for m in taken],
        )
        return taken

    def _drop_expired(self, name: str, moment: float) -> None:
        """Delete what has been in a queue for longer than its retention period."""
        keep = float(self._queues[name]["attributes"]["MessageRetentionPeriod"])
        self.cloud.store.execute(
            "DELETE FROM messages WHERE queue = ? AND sent < ?", (name, moment - keep)
        )

    def _measure_forever(self) -> None:
        while not self._stop.wait(_MEASURED_SECONDS):
            try:
                self.measure_ages(monotonic_now())
            except WorkflowError as error:  # such as a full disk, which may get room again
                self.cloud.warn(str(error))

    def measure_ages(self, moment: float) -> None:
        """Record the age of the oldest message of each queue that has any."""
        rows = self.cloud.store.execute("SELECT queue, MIN(sent) FROM messages GROUP BY queue")
        for name, sent in rows:
            self.cloud.metrics.record_value(
                "AWS/SQS",
                "ApproximateAgeOfOldestMessage",
                {"QueueName": name},
                moment - sent,
                "Seconds",
            )

    def _delete_by_receipt(self, name: str, receipt: str) -> None:
        self.cloud.store.execute(
            "DELETE FROM messages WHERE queue = ? AND receipt = ?", (name, receipt)
        )


def _check_batch(entries: list[Params]) -> list[Params]:
    """Return the entries of a batch, if they can be told apart and are not too many.

    Raises:
        AwsError: As AWS refuses a batch.
    """
    if not entries:
        raise AwsError("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > _BATCH:
        raise AwsError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {_BATCH}. You have sent {len(entries)}.",
        )
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise AwsError("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id.")
    return entries


def _describe_message(
    store: Store, message: dict[str, Any], asked: set[str], named: list[str]
) -> Params:
    row = f"the message {message['id']}"
    given = store.parse_record(message["system"] or "{}", row)
    system = {name: attribute["StringValue"] for name, attribute in given.items()} | {
        "SenderId": message["SenderId"],
        "SentTimestamp": str(int(message["sent"] * 1000)),
        "ApproximateReceiveCount": str(message["receives"]),
        "ApproximateFirstReceiveTimestamp": str(int(message["first"] * 1000)),
    }
    out: Params = {
        "MessageId": message["id"],
        "ReceiptHandle": message["receipt"],
        "MD5OfBody": _md5_hex(message["body"]),
        "Body": message["body"],
    }
    wanted = {k: v for k, v in system.items() if "All" in asked or k in asked}
    if wanted:
        out["Attributes"] = wanted
    attributes = message_attributes.select_named(
        store.parse_record(message["attributes"], row), named
    )
    if not attributes:
        return out
    digest = message_attributes.md5_digest(attributes)
    return out | {"MessageAttributes": attributes, "MD5OfMessageAttributes": digest}


def _md5_hex(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - SQS's checksum, not security


def _missing_error() -> AwsError:
    return AwsError("QueueDoesNotExist", "The specified queue does not exist.")
