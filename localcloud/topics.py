"""SNS: topics and subscriptions; messages reach SQS queues and Lambda functions of this cloud."""

import datetime as dt
import json
import re
import threading
import uuid
from collections.abc import Mapping

from localcloud import message_attributes
from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.message_attributes import Attributes
from localcloud.service import Service, paginate
from localcloud.subscription_filters import check_settings, passes_filter
from localcloud.tags import Tagged, tag_list, tag_map
from localcloud.wire import Call, Params

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}(\.fifo)?")
_PENDING = "PendingConfirmation"
# Queues and functions of the same account need no confirmation.
_CONFIRMED_AT_ONCE = ("sqs", "lambda")


class Topics(Service):
    """The ``sns`` service. E-mail is not sent: what would go out is in ``/aws/sns/<topic>``."""

    name = "sns"

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self._topics = cloud.store.load_table("sns.topic")
        self._tagged = Tagged(self._topics)
        self._subscriptions = cloud.store.load_table("sns.subscription")
        self._lock = threading.RLock()

    def deliver_message(
        self,
        arn: str,
        message: str,
        subject: str | None,
        attributes: Attributes | None = None,
        by_protocol: Mapping[str, str] | None = None,
    ) -> str:
        """Deliver a message to the subscribers of a topic whose filters it passes.

        Args:
            arn: The topic.
            message: The body.
            subject: The subject, where it has one.
            attributes: The attributes of the message.
            by_protocol: Other bodies for the subscribers of a protocol.

        Returns:
            The id of the message.
        """
        self._find_topic(arn)
        given = attributes or {}
        message_id = str(uuid.uuid4())
        stamp = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = {
            name: {"Type": one["DataType"], "Value": one.get("StringValue", one.get("BinaryValue"))}
            for name, one in given.items()
        }
        for subscription in self._list_of_topic(arn):
            body = (by_protocol or {}).get(subscription["Protocol"], message)
            envelope = {
                "Type": "Notification",
                "MessageId": message_id,
                "TopicArn": arn,
                **({"Subject": subject} if subject else {}),
                "Message": body,
                "Timestamp": stamp,
                **({"MessageAttributes": shown} if shown else {}),
            }
            if passes_filter(subscription["attributes"], given, body):
                self._deliver_to(subscription, envelope, given)
        return message_id

    # -- topics --------------------------------------------------------------------------------

    def create_topic(self, call: Call) -> Params:
        name = call.params["Name"]
        if not _NAME.fullmatch(name):
            raise AwsError("InvalidParameter", "Invalid parameter: Topic Name")
        arn = self.cloud.build_arn("sns", name)
        with self._lock:
            tags = tag_map(call.params.get("Tags", []))
            topic = self._topics.get(arn)
            if topic is None:
                attributes = call.params.get("Attributes", {})
                self._topics[arn] = {"attributes": attributes, "tags": tags}
            elif tags and tags != topic["tags"]:
                raise AwsError(
                    "InvalidParameter",
                    "Invalid parameter: Tags Reason: Topic already exists with different tags",
                )
        return {"TopicArn": arn}

    def delete_topic(self, call: Call) -> Params:
        arn = call.params["TopicArn"]
        with self._lock:
            self._topics.pop(arn, None)
            for subscription in self._list_of_topic(arn):
                del self._subscriptions[subscription["SubscriptionArn"]]
        return {}

    def list_topics(self, call: Call) -> Params:
        shown, token = paginate(
            sorted(self._topics),
            call.params,
            size="-",
            token="NextToken",  # noqa: S106 - a paging token
            default=100,
        )
        return {"Topics": [{"TopicArn": arn} for arn in shown]} | _next_token(token)

    def get_topic_attributes(self, call: Call) -> Params:
        arn = call.params["TopicArn"]
        topic = self._find_topic(arn)
        confirmed = [s for s in self._list_of_topic(arn) if s["pending"] != "true"]
        attributes = {
            "TopicArn": arn,
            "Owner": self.cloud.account,
            "DisplayName": "",
            "SubscriptionsConfirmed": str(len(confirmed)),
            "SubscriptionsPending": str(len(self._list_of_topic(arn)) - len(confirmed)),
            "SubscriptionsDeleted": "0",
            "Policy": self._build_policy(arn),
            **topic["attributes"],
        }
        return {"Attributes": attributes}

    def set_topic_attributes(self, call: Call) -> Params:
        p = call.params
        topic = self._find_topic(p["TopicArn"])
        attributes = {**topic["attributes"], p["AttributeName"]: p.get("AttributeValue", "")}
        self._topics[p["TopicArn"]] = {**topic, "attributes": attributes}
        return {}

    def publish(self, call: Call) -> Params:
        arn = call.params.get("TopicArn") or call.params.get("TargetArn")
        if arn is None:
            raise AwsError("InvalidParameter", "Invalid parameter: TopicArn or TargetArn")
        p = call.params
        attributes = _check_attributes(p.get("MessageAttributes") or {})
        message, by_protocol = _bodies_by_protocol(p["Message"], p.get("MessageStructure"))
        sent = self.deliver_message(str(arn), message, p.get("Subject"), attributes, by_protocol)
        return {"MessageId": sent}

    # -- subscriptions -------------------------------------------------------------------------

    def subscribe(self, call: Call) -> Params:
        p = call.params
        self._find_topic(p["TopicArn"])
        protocol, endpoint = p["Protocol"], p.get("Endpoint", "")
        attributes = p.get("Attributes") or {}
        check_settings(attributes, protocol)
        with self._lock:
            for known in self._list_of_topic(p["TopicArn"]):
                if (known["Protocol"], known["Endpoint"]) == (protocol, endpoint):
                    if any(known["attributes"].get(k) != v for k, v in attributes.items()):
                        raise AwsError(
                            "InvalidParameter",
                            "Invalid parameter: Attributes Reason: Subscription already exists "
                            "with different attributes",
                        )
                    return {"SubscriptionArn": _shown_arn(known)}
            arn = f"{p['TopicArn']}:{uuid.uuid4()}"
            pending = protocol not in _CONFIRMED_AT_ONCE
            subscription = {
                "SubscriptionArn": arn,
                "Owner": self.cloud.account,
                "Protocol": protocol,
                "Endpoint": endpoint,
                "TopicArn": p["TopicArn"],
                "pending": str(pending).lower(),
                "attributes": attributes,
            }
            self._subscriptions[arn] = subscription
        if p.get("ReturnSubscriptionArn"):
            return {"SubscriptionArn": arn}
        return {"SubscriptionArn": "pending confirmation" if pending else arn}

    def unsubscribe(self, call: Call) -> Params:
        self._subscriptions.pop(call.params["SubscriptionArn"], None)
        return {}

    def list_subscriptions(self, call: Call) -> Params:
        return self._list_page(list(self._subscriptions.values()), call.params)

    def list_subscriptions_by_topic(self, call: Call) -> Params:
        self._find_topic(call.params["TopicArn"])
        return self._list_page(self._list_of_topic(call.params["TopicArn"]), call.params)

    def get_subscription_attributes(self, call: Call) -> Params:
        subscription = self._find_subscription(call.params["SubscriptionArn"])
        fields = ("SubscriptionArn", "Owner", "Protocol", "Endpoint", "TopicArn")
        shown = {field: subscription[field] for field in fields}
        shown["PendingConfirmation"] = subscription["pending"]
        return {"Attributes": shown | subscription["attributes"]}

    def set_subscription_attributes(self, call: Call) -> Params:
        p = call.params
        subscription = self._find_subscription(p["SubscriptionArn"])
        named = {p["AttributeName"]: p.get("AttributeValue", "")}
        attributes = {**subscription["attributes"], **named}
        check_settings(attributes, subscription["Protocol"])
        self._subscriptions[p["SubscriptionArn"]] = {**subscription, "attributes": attributes}
        return {}

    # -- tags ----------------------------------------------------------------------------------

    def tag_resource(self, call: Call) -> Params:
        return self._tagged.add_tags(self._tagged_topic(call), tag_map(call.params["Tags"]))

    def untag_resource(self, call: Call) -> Params:
        return self._tagged.remove_tags(self._tagged_topic(call), call.params["TagKeys"])

    def list_tags_for_resource(self, call: Call) -> Params:
        return {"Tags": tag_list(self._tagged.get_tags(self._tagged_topic(call)))}

    # -- helpers -------------------------------------------------------------------------------

    def _tagged_topic(self, call: Call) -> str:
        """Return the ARN of the topic that a call on tags names."""
        arn: str = call.params["ResourceArn"]
        self._find_topic(arn)
        return arn

    def _find_topic(self, arn: str) -> Params:
        topic = self._topics.get(arn)
        if topic is None:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return topic

    def _find_subscription(self, arn: str) -> Params:
        subscription = self._subscriptions.get(arn)
        if subscription is None:
            raise AwsError("NotFound", "Subscription does not exist", 404)
        return subscription

    def _list_of_topic(self, arn: str) -> list[Params]:
        return [s for s in self._subscriptions.values() if s["TopicArn"] == arn]

    def _deliver_to(self, subscription: Params, envelope: Params, attributes: Attributes) -> None:
        raw = subscription["attributes"].get("RawMessageDelivery", "").lower() == "true"
        body = envelope["Message"] if raw else json.dumps(envelope)
        protocol, endpoint = subscription["Protocol"], subscription["Endpoint"]
        reason = f"Not sent to {protocol} {endpoint}"
        if protocol == "sqs":
            try:
                if self.cloud.queues.offer_message(endpoint, body, attributes if raw else {}):
                    return
            except AwsError as error:  # such as more attributes than SQS takes
                reason = f"{reason} ({error.message})"
        if protocol == "lambda":
            record = {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription["SubscriptionArn"],
                "Sns": {"Subject": None, "MessageAttributes": {}, **envelope},
            }
            event = json.dumps({"Records": [record]})
            parameters = {
                "FunctionName": endpoint,
                "InvocationType": "Event",
                "Payload": event.encode(),
            }
            self.cloud.call_operation(Call("lambda", "Invoke", self.cloud.region, parameters))
            return
        group = f"/aws/sns/{envelope['TopicArn'].rpartition(':')[2]}"
        self.cloud.logs.append_lines(group, "not-sent", [f"{reason}: {json.dumps(envelope)}"])

    def _list_page(self, subscriptions: list[Params], params: Params) -> Params:
        fields = ("Owner", "Protocol", "Endpoint", "TopicArn")
        items = [
            {"SubscriptionArn": _shown_arn(s), **{field: s[field] for field in fields}}
            for s in subscriptions
        ]
        shown, token = paginate(items, params, size="-", token="NextToken", default=100)  # noqa: S106 - a paging token
        return {"Subscriptions": shown} | _next_token(token)

    def _build_policy(self, arn: str) -> str:
        statement = {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": ["SNS:Publish", "SNS:Subscribe"],
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": self.cloud.account}},
        }
        return json.dumps({"Version": "2008-10-17", "Statement": [statement]})


def _check_attributes(attributes: Attributes) -> Attributes:
    """Return the attributes of a message as they are kept.

    Raises:
        AwsError: ``ParameterValueInvalid``, SNS's name for what SQS calls otherwise.
    """
    try:
        return message_attributes.check_all(attributes, most=None)
    except AwsError as error:
        raise AwsError("ParameterValueInvalid", error.message) from error


def _bodies_by_protocol(message: str, structure: str | None) -> tuple[str, dict[str, str]]:
    """Return the body of a message, and those that its structure gives for protocols.

    Raises:
        AwsError: ``InvalidParameter``.
    """
    if not structure:
        return message, {}
    if structure != "json":
        raise AwsError("InvalidParameter", "Invalid parameter: MessageStructure")
    why = "Invalid parameter: Message Structure - "
    try:
        bodies = json.loads(message)
    except ValueError as error:
        text = f"{why}JSON message body failed to parse"
        raise AwsError("InvalidParameter", text) from error
    if not isinstance(bodies, dict) or not isinstance(bodies.get("default"), str):
        raise AwsError("InvalidParameter", f"{why}No default entry in JSON message body")
    texts = {protocol: body for protocol, body in bodies.items() if isinstance(body, str)}
    return texts["default"], texts


def _shown_arn(subscription: Params) -> str:
    return _PENDING if subscription["pending"] == "true" else str(subscription["SubscriptionArn"])


def _next_token(token: str | None) -> Params:
    return {"NextToken": token} if token else {}
