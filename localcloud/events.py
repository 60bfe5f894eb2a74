"""EventBridge: rules on the default bus; matching events reach SQS, SNS and Lambda targets."""

import datetime as dt
import json
import uuid

from localcloud import event_inputs, event_patterns
from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.service import Service, now, paginate
from localcloud.tags import Tagged, tag_list, tag_map
from localcloud.wire import Call, Params

_TARGETS = 5


class Events(Service):
    """The ``events`` service; patterns are matched by moto's code."""

    name = "events"

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self._rules = cloud.store.load_table("events.rule")
        self._tagged = Tagged(self._rules)

    def publish_event(
        self,
        source: str,
        detail_type: str,
        resources: list[str],
        detail: Params,
        moment: float | None = None,
    ) -> str:
        """Publish an event on the default bus.

        Args:
            source: Who publishes it.
            detail_type: What kind of event it is.
            resources: ARNs of what it is about.
            detail: What it says.
            moment: When it happened, seconds since 1970; None for now.

        Returns:
            Its id.
        """
        happened = dt.datetime.fromtimestamp(now() if moment is None else moment, dt.UTC)
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self.cloud.account,
            "time": f"{happened:%Y-%m-%dT%H:%M:%SZ}",
            "region": self.cloud.region,
            "resources": resources,
            "detail": detail,
        }
        for rule in list(self._rules.values()):
            if rule["State"] == "ENABLED" and _matches_rule(rule, event):
                self.cloud.metrics.record_count(
                    "AWS/Events", "MatchedEvents", {"RuleName": rule["Name"]}
                )
                for target in rule["targets"].values():
                    self._deliver_event(
                        target["Arn"], event_inputs.target_input(target, event, rule["Arn"])
                    )
        return str(event["id"])

    # -- rules ---------------------------------------------------------------------------------

    def put_rule(self, call: Call) -> Params:
        p = call.params
        if "EventPattern" not in p and "ScheduleExpression" not in p:
            raise AwsError(
                "ValidationException",
                "Parameter(s) EventPattern or ScheduleExpression must be specified.",
            )
        name = p["Name"]
        if "EventPattern" in p:
            event_patterns.check_pattern(p["EventPattern"])
        # PutRule replaces all of a rule but its targets and tags.
        old = self._rules.get(name, {"targets": {}, "tags": tag_map(p.get("Tags", []))})
        fields = ("Name", "EventPattern", "ScheduleExpression", "Description", "RoleArn")
        arn = self.cloud.build_arn("events", f"rule/{name}")
        self._rules[name] = {
            **{field: p[field] for field in fields if field in p},
            "Arn": arn,
            "State": p.get("State", "ENABLED"),
            "EventBusName": "default",
            "targets": old["targets"],
            "tags": old["tags"],
        }
        return {"RuleArn": arn}

    def describe_rule(self, call: Call) -> Params:
        return _describe_rule(self._find_rule(call.params["Name"]))

    def delete_rule(self, call: Call) -> Params:
        rule = self._rules.get(call.params["Name"])
        if rule is not None and rule["targets"]:
            raise AwsError("ValidationException", "Rule can't be deleted since it has targets.")
        self._rules.pop(call.params["Name"], None)
        return {}

    def list_rules(self, call: Call) -> Params:
        prefix = call.params.get("NamePrefix", "")
        rules = [_describe_rule(r) for n, r in sorted(self._rules.items()) if n.startswith(prefix)]
        shown, token = paginate(rules, call.params, size="Limit", token="NextToken", default=100)  # noqa: S106 - a paging token
        return {"Rules": shown} | ({"NextToken": token} if token else {})

    def enable_rule(self, call: Call) -> Params:
        return self._set_state(call.params["Name"], "ENABLED")

    def disable_rule(self, call: Call) -> Params:
        return self._set_state(call.params["Name"], "DISABLED")

    # -- targets and events --------------------------------------------------------------------

    def put_targets(self, call: Call) -> Params:
        rule = self._find_rule(call.params["Rule"])
        for target in call.params["Targets"]:
            event_inputs.check_target(target)
        targets = {**rule["targets"], **{t["Id"]: t for t in call.params["Targets"]}}
        if len(targets) > _TARGETS:
            raise AwsError("LimitExceededException", "The requested resource exceeds the limit.")
        self._rules[rule["Name"]] = {**rule, "targets": targets}
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def remove_targets(self, call: Call) -> Params:
        rule = self._find_rule(call.params["Rule"])
        gone = call.params["Ids"]
        targets = {i: t for i, t in rule["targets"].items() if i not in gone}
        self._rules[rule["Name"]] = {**rule, "targets": targets}
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def list_targets_by_rule(self, call: Call) -> Params:
        targets = list(self._find_rule(call.params["Rule"])["targets"].values())
        shown, token = paginate(targets, call.params, size="Limit", token="NextToken", default=100)  # noqa: S106 - a paging token
        return {"Targets": shown} | ({"NextToken": token} if token else {})

    def put_events(self, call: Call) -> Params:
        entries = [self._put_entry(entry) for entry in call.params["Entries"]]
        failed = sum("ErrorCode" in entry for entry in entries)
        return {"FailedEntryCount": failed, "Entries": entries}

    # -- tags ----------------------------------------------------------------------------------

    def tag_resource(self, call: Call) -> Params:
        return self._tagged.add_tags(self._rule_name(call), tag_map(call.params["Tags"]))

    def untag_resource(self, call: Call) -> Params:
        return self._tagged.remove_tags(self._rule_name(call), call.params["TagKeys"])

    def list_tags_for_resource(self, call: Call) -> Params:
        return {"Tags": tag_list(self._tagged.get_tags(self._rule_name(call)))}

    # -- helpers -------------------------------------------------------------------------------

    def _find_rule(self, name: str) -> Params:
        rule = self._rules.get(name)
        if rule is None:
            raise AwsError("ResourceNotFoundException", f"Rule {name} does not exist.")
        return rule

    def _rule_name(self, call: Call) -> str:
        """Return the name of the rule whose ARN a call on tags gives."""
        name: str = self._find_rule(call.params["ResourceARN"].rpartition("/")[2])["Name"]
        return name

    def _set_state(self, name: str, state: str) -> Params:
        self._rules[name] = {**self._find_rule(name), "State": state}
        return {}

    def _put_entry(self, entry: Params) -> Params:
        """Publish an entry of PutEvents; return its id, or why it is no event."""
        for field in ("Source", "DetailType", "Detail"):
            if not entry.get(field):
                text = f"Parameter {field} is not valid. Reason: {field} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": text}
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        about = (entry["Source"], entry["DetailType"], entry.get("Resources", []), detail)
        return {"EventId": self.publish_event(*about, entry.get("Time"))}

    def _deliver_event(self, arn: str, body: str) -> None:
        if ":sqs:" in arn:
            if not self.cloud.queues.offer_message(arn, body):
                self.cloud.warn(f"An event is lost: there is no queue {arn}.")
        elif ":sns:" in arn:
            self.cloud.topics.deliver_message(arn, body, None)
        elif ":lambda:" in arn:
            parameters = {"FunctionName": arn, "InvocationType": "Event", "Payload": body.encode()}
            self.cloud.call_operation(Call("lambda", "Invoke", self.cloud.region, parameters))
        else:
            self.cloud.warn(f"An event is lost: targets like {arn} are not supported here.")


def _matches_rule(rule: Params, event: Params) -> bool:
    pattern = rule.get("EventPattern")
    return pattern is not None and event_patterns.matches_event(json.loads(pattern), event)


def _describe_rule(rule: Params) -> Params:
    return {k: v for k, v in rule.items() if k not in ("targets", "tags")}
