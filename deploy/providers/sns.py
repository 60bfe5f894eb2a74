"""SNS: the topic of alerts and its e-mail subscriptions."""

import json
from collections.abc import Iterator

from deploy import policies
from deploy.cloud import Observed
from deploy.providers.clients import Aws, call_or_none, tag_list, tag_map
from deploy.resources import Subscription, Topic

PENDING = "PendingConfirmation"


class TopicProvider:
    """Reads and writes :class:`Topic`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sns = aws.sns

    def read(self, name: str) -> Observed | None:
        """Return the policy of the topic."""
        arn = self._aws.arn("sns", name)
        answer = call_or_none(
            lambda: self._sns.get_topic_attributes(TopicArn=arn), "NotFound", "NotFoundException"
        )
        if answer is None:
            return None
        policy = json.loads(answer["Attributes"].get("Policy") or "{}")
        return Observed(
            properties={"policy": policies.canonical(policy)},
            outputs={"arn": arn},
            tags=tag_map(self._sns.list_tags_for_resource(ResourceArn=arn)["Tags"]),
        )

    def create(self, resource: Topic) -> Iterator[str]:
        """Create the topic with its tags and policy."""
        yield "Creating the topic"
        self._sns.create_topic(
            Name=resource.name,
            Attributes={"Policy": json.dumps(resource.policy)},
            Tags=tag_list(resource.tags),
        )

    def update(self, resource: Topic, observed: Observed) -> Iterator[str]:
        """Replace the policy."""
        yield "Updating the policy"
        self._sns.set_topic_attributes(
            TopicArn=observed.outputs["arn"],
            AttributeName="Policy",
            AttributeValue=json.dumps(resource.policy),
        )

    def delete(self, name: str) -> Iterator[str]:
        """Delete the topic and with it its subscriptions."""
        yield "Deleting the topic"
        self._sns.delete_topic(TopicArn=self._aws.arn("sns", name))


class SubscriptionProvider:
    """Reads and writes :class:`Subscription`.

    A subscription is never removed: its address ends it by the link in each of its mails, or it
    goes with the topic.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sns = aws.sns

    def read(self, name: str) -> Observed | None:
        """Return the subscription of an address, confirmed or pending."""
        topic, _, address = name.partition("/")
        arn = self._aws.arn("sns", topic)
        pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        try:
            subscriptions = [one for page in pages for one in page["Subscriptions"]]
        except self._sns.exceptions.NotFoundException:
            return None
        for one in subscriptions:
            if one["Protocol"] == "email" and one["Endpoint"] == address:
                confirmed = one["SubscriptionArn"] != PENDING
                return Observed(
                    properties={"topic": arn, "address": address},
                    outputs={"state": "confirmed" if confirmed else "pending confirmation"},
                )
        return None

    def create(self, resource: Subscription) -> Iterator[str]:
        """Ask for the subscription; AWS sends a mail to confirm it."""
        yield f"Asking {resource.address} to confirm by mail"
        self._sns.subscribe(TopicArn=resource.topic, Protocol="email", Endpoint=resource.address)
