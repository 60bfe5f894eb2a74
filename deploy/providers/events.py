"""EventBridge: the rule that forwards the status changes of executions."""

import json
from collections.abc import Iterator
from typing import Any

from deploy.cloud import Observed
from deploy.providers.clients import Aws, call_or_none, tag_list, tag_map
from deploy.resources import Rule
from workflow.errors import WorkflowError

TARGET = "queue"
"""Id of the one target of a rule."""


class RuleProvider:
    """Reads and writes :class:`Rule`."""

    def __init__(self, aws: Aws) -> None:
        self._events = aws.events

    def read(self, name: str) -> Observed | None:
        """Return pattern, state and target of the rule."""
        rule = call_or_none(
            lambda: self._events.describe_rule(Name=name), "ResourceNotFoundException"
        )
        if rule is None:
            return None
        targets = self._events.list_targets_by_rule(Rule=name)["Targets"]
        tags = self._events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
        return Observed(
            properties={
                "pattern": json.loads(rule.get("EventPattern") or "{}"),
                "target": ", ".join(target["Arn"] for target in targets) or None,
                "description": rule.get("Description", ""),
                "state": rule.get("State", ""),
            },
            outputs={"arn": rule["Arn"]},
            tags=tag_map(tags),
        )

    def create(self, resource: Rule) -> Iterator[str]:
        """Create the rule with its tags, then its target."""
        yield "Creating the rule"
        self._events.put_rule(**_rule_request(resource), Tags=tag_list(resource.tags))
        self._put_target(resource)

    def update(self, resource: Rule, _observed: Observed) -> Iterator[str]:
        """Replace the rule and its targets."""
        yield "Updating the rule"
        self._events.put_rule(**_rule_request(resource))
        others = [
            target["Id"]
            for target in self._events.list_targets_by_rule(Rule=resource.name)["Targets"]
            if target["Id"] != TARGET
        ]
        if others:
            self._events.remove_targets(Rule=resource.name, Ids=others)
        self._put_target(resource)

    def delete(self, name: str) -> Iterator[str]:
        """Remove the target, then the rule."""
        yield "Deleting the rule"
        call_or_none(
            lambda: self._events.remove_targets(Rule=name, Ids=[TARGET]),
            "ResourceNotFoundException",
        )
        call_or_none(lambda: self._events.delete_rule(Name=name), "ResourceNotFoundException")

    def _put_target(self, rule: Rule) -> None:
        answer = self._events.put_targets(
            Rule=rule.name, Targets=[{"Id": TARGET, "Arn": rule.target}]
        )
        # PutTargets answers 200 even where it refuses a target (API reference, FailedEntries).
        for entry in answer["FailedEntries"]:
            raise WorkflowError(
                entry.get("ErrorCode") or "TargetRefused",
                f"EventBridge refuses the target {rule.target} of the rule {rule.name}:"
                f" {entry.get('ErrorMessage') or 'no reason given'}.",
                "Correct what the message names, then apply again.",
            )


def _rule_request(rule: Rule) -> dict[str, Any]:
    return {
        "Name": rule.name,
        "EventPattern": json.dumps(rule.pattern),
        "Description": rule.description,
        "State": "ENABLED" if rule.state == "ENABLED" else "DISABLED",
    }
