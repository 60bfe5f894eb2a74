"""Step Functions: the operations on executions, over ``engine`` and ``executions``.

More than 400 lines because it has a method for each operation, and all share one engine.
"""

import json
import threading
import uuid
from dataclasses import asdict
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.states.aliases import Aliases
from localcloud.states.definitions import diagnose_definition
from localcloud.states.engine import Ending, ExecutionRequest, Run
from localcloud.states.execution_log import ExecutionLog
from localcloud.states.executions import Execution, Executions, redrive_refusal
from localcloud.states.history import Event
from localcloud.states.machines import Target, check_name, definition_to_show, list_page
from localcloud.states.map_runs import MapRuns
from localcloud.states.progress import ExecutionProgress, from_json
from localcloud.states.retention import Retention
from localcloud.states.services import CloudServices
from localcloud.states.state_test import run_test
from localcloud.states.tokens import Tokens
from localcloud.wire import Call, Params
from workflow.asl.data import read_json
from workflow.errors import WorkflowError

_TOKEN_SECONDS = 900
_PAGE = 1000
_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


class StepFunctions(Aliases):
    """The ``stepfunctions`` service."""

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self.executions = Executions(cloud.store)
        self._retention = Retention(self.executions, cloud.allows.history)
        self._map_runs = MapRuns(cloud.store, self.executions)
        self._runs: dict[str, Run] = {}
        self._tokens = Tokens()
        # Clients are slow to make and safe to share between threads.
        self._services = CloudServices(
            self._invoke_lambda, cache(self._make_client), self._describe_by_arn
        )
        self._start_lock = threading.Lock()

    @classmethod
    def of(cls, cloud: LocalCloud) -> "StepFunctions":
        """Return the service of a started cloud."""
        states = cloud.services["stepfunctions"]
        assert isinstance(states, cls)  # noqa: S101 - as ``start_services`` makes it
        return states

    def start(self) -> None:
        """Abort what was running when the process died."""
        # They cannot go on: their threads and tokens ended with the process.
        for arn in self.executions.list_running():
            try:
                execution = self.executions.get(arn)
            except WorkflowError as error:  # a damaged one keeps no other from being aborted
                self.cloud.warn(str(error))
                continue
            last = self.executions.last_event_id(arn)
            cause = "The local cloud was stopped while this execution was running."
            event = {
                "timestamp": now(),
                "type": "ExecutionAborted",
                "id": last + 1,
                "previousEventId": 0,
                "executionAbortedEventDetails": {"error": "LocalCloud.Stopped", "cause": cause},
            }
            self.executions.write_event(arn, event)
            body = {**execution["body"], "error": "LocalCloud.Stopped", "cause": cause}
            self.executions.save(
                {**execution, "status": "ABORTED", "stop": event["timestamp"], "body": body}
            )
            self._map_runs.abort_runs(arn)
        self._retention.start()

    def close(self) -> None:
        """Stop forgetting executions."""
        self._retention.stop()

    # -- machines ------------------------------------------------------------------------------

    def delete_state_machine(self, call: Call) -> Params:
        arn = call.params["stateMachineArn"]
        with self._lock:
            for execution_arn in self.executions.of_machine(arn):
                if run := self._runs.get(execution_arn):
                    run.stop(None, None)
            self._delete_machine(arn)
            self.executions.delete(self.executions.of_machine(arn))
        return {}

    def validate_state_machine_definition(self, call: Call) -> Params:
        size = call.params.get("maxResults") or 100
        machine_type = call.params.get("type") or "STANDARD"
        all_found = diagnose_definition(call.params["definition"], machine_type)
        wanted = ("ERROR", "WARNING")[: 2 if call.params.get("severity") == "WARNING" else 1]
        found = [one for one in all_found if one.severity in wanted]
        return {
            "result": "FAIL" if any(one.severity == "ERROR" for one in found) else "OK",
            "diagnostics": [asdict(one) for one in found[:size]],
            "truncated": len(found) > size,
        }

    def test_state(self, call: Call) -> Params:
        prefix = f"arn:{self.cloud.partition}:states:{self.cloud.region}:{self.cloud.account}"
        return run_test(call.params, prefix, self._services)

    # -- executions ----------------------------------------------------------------------------

    def start_execution(self, call: Call) -> Params:
        p = call.params
        target = self.resolve_target(p["stateMachineArn"])
        name = p.get("name") or str(uuid.uuid4())
        check_name(name)
        text = p.get("input") or "{}"
        _check_input(text)
        arn = self.cloud.build_arn("states", f"execution:{target.machine['name']}:{name}")
        with self._start_lock:
            # StartExecution is idempotent while the execution runs with the same input; under the
            # lock, or two requests of one name could both find it free.
            existing = self.executions.find(arn)
            if existing is not None:
                if existing["status"] == "RUNNING" and existing["body"]["input"] == text:
                    return {"executionArn": arn, "startDate": existing["start"]}
                raise AwsError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
            execution = self._new_execution(arn, name, target, text)
            self.executions.add(execution)
        self._start_run(execution, _started_event(execution))
        return {"executionArn": arn, "startDate": execution["start"]}

    def describe_execution(self, call: Call) -> Params:
        described = self._describe_record(self.executions.get(call.params["executionArn"]))
        if call.params.get("includedData") != "METADATA_ONLY":
            return described
        shown = {k: v for k, v in described.items() if k not in ("input", "output")}
        return shown | {k: {"included": False} for k in shown if k.endswith("Details")}

    def list_executions(self, call: Call) -> Params:
        p = call.params
        given = [p[name] for name in ("stateMachineArn", "mapRunArn") if name in p]
        if len(given) != 1:
            raise AwsError("ValidationException", "Must specify a stateMachineArn or a mapRunArn.")
        (arn,) = given
        if "mapRunArn" in p:
            self._map_runs.get(arn)
            column = "map_run"
        else:
            target = self.resolve_target(arn)
            column = "alias" if target.alias_arn else "version" if target.version_arn else "machine"
        size = min(p.get("maxResults") or 100, _PAGE)
        found, token = self.executions.list_page(column, arn, p, size, p.get("nextToken"))
        return {"executions": [_summarize_with_items(e) for e in found]} | (
            {"nextToken": token} if token else {}
        )

    def get_execution_history(self, call: Call) -> Params:
        p = call.params
        arn = p["executionArn"]
        execution = self.executions.get(arn)
        if execution["map_run"] and execution["body"]["machine_type"] == "EXPRESS":
            text = "This operation is not supported by this type of state machine"
            raise AwsError("StateMachineTypeNotSupported", text)
        given = str(p.get("nextToken") or "0")
        if not given.isdigit():
            raise AwsError("InvalidToken", f"Invalid Token: '{given}'")
        size = min(p.get("maxResults") or 100, _PAGE)
        start = int(given)
        events = self.executions.read_events(
            arn, start, size + 1, reverse=bool(p.get("reverseOrder"))
        )
        shown = events[:size]
        if p.get("includeExecutionData") is False:
            shown = [_without_data(event) for event in shown]
        token = {"nextToken": str(start + size)} if len(events) > size else {}
        return {"events": shown} | token

    def stop_execution(self, call: Call) -> Params:
        p = call.params
        arn = p["executionArn"]
        execution = self.executions.get(arn)
        run = self._runs.get(arn)
        if run is None:
            return {"stopDate": execution["stop"]}
        run.stop(p.get("error"), p.get("cause"))
        return {"stopDate": self.executions.get(arn)["stop"]}

    def redrive_execution(self, call: Call) -> Params:
        arn, token = call.params["executionArn"], call.params.get("clientToken")
        with self._start_lock:
            execution = self.executions.get(arn)
            body = execution["body"]
            used = body["tokens"].get(token) if token else None
            # https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html:
            # a token is valid for 15 minutes, and repeats of it change nothing.
            if used is not None and now() - used < _TOKEN_SECONDS:
                return {"redriveDate": used}
            last = self.executions.last_event_id(arn)
            refusal = redrive_refusal(execution, last)
            if refusal is not None:
                raise AwsError("ExecutionNotRedrivable", refusal)
            redriven = now()
            tokens = {**body["tokens"], token: redriven} if token else body["tokens"]
            gone = ("error", "cause", "progress")
            kept = {k: v for k, v in body.items() if k not in gone}
            execution |= {
                "status": "RUNNING",
                "stop": None,
                "redrives": execution["redrives"] + 1,
                "body": {**kept, "redrive_date": redriven, "tokens": tokens},
            }
            self.executions.save(execution)
        self._resume_execution(execution, last, body.get("progress"))
        return {"redriveDate": redriven}

    def describe_state_machine_for_execution(self, call: Call) -> Params:
        execution = self.executions.get(call.params["executionArn"])
        body = execution["body"]
        machine = self._machines.get(execution["machine"], {})
        out: Params = {
            "stateMachineArn": execution["machine"],
            "name": body["machine_name"],
            "definition": definition_to_show(
                call.params, self.cloud.store.read_blob(body["definition"]).decode()
            ),
            "roleArn": body["role"],
            "updateDate": machine.get("updated", execution["start"]),
            "loggingConfiguration": machine.get("logging", {"level": "OFF"}),
            "tracingConfiguration": machine.get("tracing", {"enabled": False}),
        }
        return out | ({"revisionId": body["revision"]} if body["revision"] else {})

    # -- Map Runs ------------------------------------------------------------------------------

    def list_map_runs(self, call: Call) -> Params:
        arn = call.params["executionArn"]
        self.executions.get(arn)
        shown, following = list_page(self._map_runs.list_runs(arn), call.params)
        return {"mapRuns": shown} | following

    def describe_map_run(self, call: Call) -> Params:
        return self._map_runs.describe_run(call.params["mapRunArn"])

    def update_map_run(self, call: Call) -> Params:
        self._map_runs.change_limits(call.params["mapRunArn"], call.params)
        return {}

    # -- task tokens ---------------------------------------------------------------------------

    def send_task_success(self, call: Call) -> Params:
        token, output = call.params["taskToken"], call.params["output"]
        try:
            read_json(output)
        except ValueError as error:
            raise AwsError("InvalidOutput", f"Invalid Output: '{error}'") from error
        return _require_token(token, found=self._tokens.succeed(token, output))

    def send_task_failure(self, call: Call) -> Params:
        p = call.params
        found = self._tokens.fail(p["taskToken"], p.get("error"), p.get("cause"))
        return _require_token(p["taskToken"], found=found)

    def send_task_heartbeat(self, call: Call) -> Params:
        token = call.params["taskToken"]
        return _require_token(token, found=self._tokens.record_heartbeat(token))

    # -- running -------------------------------------------------------------------------------

    def _new_execution(self, arn: str, name: str, target: Target, text: str) -> Execution:
        machine = target.machine
        return {
            "arn": arn,
            "machine": machine["arn"],
            "version": target.version_arn,
            "alias": target.alias_arn,
            "name": name,
            "status": "RUNNING",
            "start": now(),
            "stop": None,
            "redrives": 0,
            "body": {
                "input": text,
                "definition": self.cloud.store.put_blob(target.definition.encode()),
                "role": target.role_arn,
                "machine_name": machine["name"],
                "machine_type": machine["type"],
                "revision": machine["revision"],
                "variables": {},
                "tokens": {},
            },
        }

    def _resume_execution(self, execution: Execution, last: int, kept: Params | None) -> None:
        """Go on where it failed, by the progress that was kept of it."""
        before = from_json(kept) if kept else self._last_entered(execution, last)
        event = {
            "type": "ExecutionRedriven",
            "details": {"executionRedrivenEventDetails": {"redriveCount": execution["redrives"]}},
        }
        self._start_run(execution, event, last, before)

    def _last_entered(self, execution: Execution, last: int) -> ExecutionProgress:
        """Return what the history tells of an execution that ended with the process."""
        definition = json.loads(self.cloud.store.read_blob(execution["body"]["definition"]))
        for event in self.executions.read_events(execution["arn"], 0, last, reverse=True):
            details = event.get("stateEnteredEventDetails")
            if details and details["name"] in definition["States"]:
                name, variables = details["name"], execution["body"]["variables"]
                before = ExecutionProgress(name, json.loads(details["input"]), variables)
                if definition["States"][name]["Type"] == "Task":
                    before.entered = before.previous = event["id"]
                return before
        return ExecutionProgress()

    def _start_run(
        self,
        execution: Execution,
        first_event: Event,
        last: int = 0,
        before: ExecutionProgress | None = None,
    ) -> None:
        arn, body = execution["arn"], execution["body"]
        job = ExecutionRequest(
            execution_arn=arn,
            name=execution["name"],
            machine_arn=execution["machine"],
            machine_name=body["machine_name"],
            machine_type=body["machine_type"],
            role_arn=body["role"],
            definition=self.cloud.store.read_blob(body["definition"]).decode(),
            input=body["input"],
            started=execution["start"],
            first_event=first_event,
            last_event_id=last,
            variables=body["variables"],
            redrives=execution["redrives"],
            before=before,
            map_runs=self._map_runs,
        )
        log = ExecutionLog(
            self._machines.get(execution["machine"], {}).get("logging", {}),
            self.cloud.logs.append_lines,
            arn,
            execution["redrives"],
            execution["start"],
        )

        def write(event: Event) -> None:
            self.executions.write_event(arn, event)
            log.write(event)

        run = Run(
            job,
            self._services,
            self._tokens,
            write,
            lambda ending: self._record_ending(arn, ending),
        )
        # Registered before it starts, so that StopExecution finds it from its first event on.
        self._runs[arn] = run
        self._announce_status(self.executions.get(arn))
        run.start()

    def _record_ending(self, arn: str, ending: Ending) -> None:
        run = self._runs.pop(arn)
        self._map_runs.abort_runs(arn)
        execution = self.executions.find(arn)
        if execution is None:  # its state machine was deleted meanwhile
            return
        result = {"output": ending.output, "error": ending.error, "cause": ending.cause}
        body = {
            **execution["body"],
            "variables": run.variables,
            **{k: v for k, v in result.items() if v is not None},
        }
        if ending.status != "SUCCEEDED":
            body["progress"] = run.progress.as_json()
        execution |= {"status": ending.status, "stop": ending.stopped, "body": body}
        self.executions.save(execution)
        self._announce_status(execution)

    def _announce_status(self, execution: Execution) -> None:
        """Tell CloudWatch and EventBridge about a new status."""
        dimensions = {"StateMachineArn": execution["machine"]}
        metrics = self.cloud.metrics
        metrics.record_count("AWS/States", _METRICS[execution["status"]], dimensions)
        if execution["stop"] is not None:
            took = (execution["stop"] - execution["start"]) * 1000
            metrics.record_value("AWS/States", "ExecutionTime", dimensions, took, "Milliseconds")
        # https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
        self.cloud.events.publish_event(
            "aws.states",
            "Step Functions Execution Status Change",
            [execution["arn"]],
            _status_change(self._describe_record(execution)),
        )

    def _invoke_lambda(self, parameters: Params, role_arn: str) -> Params:
        """Invoke a function for a Task, if the state machine's role may."""
        self._check_role(parameters, role_arn)
        result = self.cloud.call_operation(Call("lambda", "Invoke", self.cloud.region, parameters))
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(result.get("Payload", b""))),
            "X-Amz-Executed-Version": result.get("ExecutedVersion", "$LATEST"),
            "x-amzn-Remapped-Content-Length": "0",
        }
        metadata = {"HTTPHeaders": headers, "HTTPStatusCode": result["StatusCode"]}
        return {**result, "ResponseMetadata": metadata}

    def _make_client(self, service: str) -> Any:  # noqa: ANN401 - botocore makes clients at run time
        """Return the client by which Tasks reach a service of this cloud."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=self.cloud.region,
            endpoint_url=self.cloud.endpoint_url,
            aws_access_key_id=self.cloud.credentials.access_key_id,
            aws_secret_access_key=self.cloud.credentials.secret_access_key,
            config=Config(
                # One attempt: what is retried is up to the Retry of the state.
                retries={"total_max_attempts": 1},
                read_timeout=900,
                inject_host_prefix=False,
            ),
        )

    def _describe_by_arn(self, arn: str) -> Params:
        return self._describe_record(self.executions.get(arn))

    def _check_role(self, params: Params, role_arn: str) -> None:
        permissions = self.cloud.permissions
        role, action = role_arn.rpartition("/")[2], "lambda:InvokeFunction"
        name = params["FunctionName"].partition(":function:")[2] or params["FunctionName"]
        if "Qualifier" in params:
            name += f":{params['Qualifier']}"
        resource = self.cloud.build_arn("lambda", f"function:{name}")
        # A role that IAM does not have is not checked: CreateStateMachine takes any ARN of a role.
        if permissions.has_role(role) and not permissions.is_allowed(role, action, resource):
            text = permissions.denial_message(role, "local", action, resource)
            raise AwsError("AWSLambdaException", text, 403)

    def _describe_record(self, execution: Execution) -> Params:
        body = execution["body"]
        out: Params = {
            **_summarize_execution(execution),
            "input": body["input"],
            "inputDetails": {"included": True},
        }
        if "output" in body:
            out |= {"output": body["output"], "outputDetails": {"included": True}}
        out |= {k: body[k] for k in ("error", "cause") if k in body}
        refusal = redrive_refusal(execution, self.executions.last_event_id(execution["arn"]))
        out["redriveStatus"] = "NOT_REDRIVABLE" if refusal else "REDRIVABLE"
        return out | ({"redriveStatusReason": refusal} if refusal else {})


def _require_token(token: str, *, found: bool) -> Params:
    """Return the empty answer for a task token.

    Raises:
        AwsError: ``InvalidToken`` where no Task waits for it.
    """
    if not found:
        raise AwsError("InvalidToken", f"Invalid Token: '{token}'")
    return {}


def _started_event(execution: Execution) -> Event:
    details = {
        "input": execution["body"]["input"],
        "inputDetails": {"truncated": False},
        "roleArn": execution["body"]["role"],
    }
    for key, field in (("version", "stateMachineVersionArn"), ("alias", "stateMachineAliasArn")):
        if execution[key]:
            details[field] = execution[key]
    return {"type": "ExecutionStarted", "details": {"executionStartedEventDetails": details}}


def _check_input(text: str) -> None:
    try:
        read_json(text)
    except ValueError as error:
        raise AwsError(
            "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'"
        ) from error


def _summarize_execution(execution: Execution) -> Params:
    out: Params = {
        "executionArn": execution["arn"],
        "stateMachineArn": execution["machine"],
        "name": execution["name"],
        "status": execution["status"],
        "startDate": execution["start"],
        "redriveCount": execution["redrives"],
    }
    optional = {
        "stopDate": execution["stop"],
        "stateMachineVersionArn": execution["version"],
        "stateMachineAliasArn": execution["alias"],
        "redriveDate": execution["body"].get("redrive_date"),
        "mapRunArn": execution["map_run"],
    }
    return out | {k: v for k, v in optional.items() if v is not None}


def _summarize_with_items(execution: Execution) -> Params:
    """Return an execution as it is listed, with the items that a child execution processes."""
    listed = _summarize_execution(execution)
    return listed if execution["items"] is None else {**listed, "itemCount": execution["items"]}


def _status_change(described: Params) -> Params:
    """Return the detail of a status-change event: times in milliseconds, absent values null."""
    fields = [
        "executionArn",
        "stateMachineArn",
        "stateMachineVersionArn",
        "stateMachineAliasArn",
        "name",
        "status",
        "input",
        "inputDetails",
        "output",
        "outputDetails",
        "error",
        "cause",
        "redriveCount",
        "redriveDate",
        "redriveStatus",
        "redriveStatusReason",
    ]
    detail: Params = {field: described.get(field) for field in fields}
    for field in ("startDate", "stopDate", "redriveDate"):
        moment = described.get(field)
        detail[field] = None if moment is None else int(moment * 1000)
    return detail


_DATA = ("input", "output", "inputDetails", "outputDetails", "parameters")


def _without_data(event: Event) -> Event:
    return {
        key: {k: v for k, v in value.items() if k not in _DATA}
        if isinstance(value, dict)
        else value
        for key, value in event.items()
    }
