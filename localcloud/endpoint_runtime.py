"""SageMaker Runtime: InvokeEndpoint, with its metrics and its data capture."""

import time
import uuid

from localcloud import capture
from localcloud.aws_like.delivery import delivery_of
from localcloud.cloud import LocalCloud
from localcloud.container import ContainerAnswer
from localcloud.endpoints import choose_shadow, invocation_error
from localcloud.errors import AwsError
from localcloud.service import Service
from localcloud.wire import Call, Params
from workflow.errors import WorkflowError

_BODY_LIMIT = 6_291_456
_CLIENT_ERROR = 400
_SERVER_ERROR = 500


class EndpointRuntime(Service):
    """The ``sagemaker-runtime`` service: InvokeEndpoint, its metrics and its data capture."""

    name = "sagemaker-runtime"

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self.capture = capture.DataCapture(cloud.store, self._put_object, delivery_of(cloud.allows))

    def start(self) -> None:
        """Deliver what was captured before the process ended; on a full disk, later."""
        try:
            self.capture.deliver_waiting()
        except WorkflowError as error:
            self.cloud.warn(str(error))

    def invoke_endpoint(self, call: Call) -> Params:
        p = call.params
        name = p["EndpointName"]
        body = p.get("Body") or b""
        if len(body) > _BODY_LIMIT:
            raise invocation_error(f"Request body is larger than the limit of {_BODY_LIMIT} bytes.")
        self.cloud.permissions.require_allowed(
            call.access_key,
            "sagemaker:InvokeEndpoint",
            self.cloud.build_arn("sagemaker", f"endpoint/{name.lower()}"),
            code="AccessDeniedException",
            status=400,
        )
        kind, accept = _content_types(p)
        moment, started = time.time(), time.perf_counter()
        answer, variant, deployed = self.cloud.endpoints.invoke_variant(
            name, p.get("TargetVariant"), body, kind, accept
        )
        served = variant["VariantName"]
        self._record_metrics(name, served, answer.status, started)
        if shadow := choose_shadow(deployed):
            self._ask_shadow(p, shadow, deployed["capture"], moment)
        if answer.status >= _CLIENT_ERROR:
            raise self._model_error(name, served, answer)
        self._capture_invocation(p, served, deployed["capture"], answer, moment)
        return {
            "Body": answer.body,
            "ContentType": answer.content_type,
            "InvokedProductionVariant": served,
        }

    def _ask_shadow(self, p: Params, shadow: Params, config: Params | None, moment: float) -> None:
        """Ask a shadow variant the same; whatever it answers, the caller does not notice."""
        name, served, started = p["EndpointName"], shadow["VariantName"], time.perf_counter()
        kind, accept = _content_types(p)
        try:
            answer = self.cloud.endpoints.ask_variant(
                name, shadow, p.get("Body") or b"", kind, accept
            )
        except AwsError as error:
            self._record_metrics(name, served, error.status, started)
            return
        self._record_metrics(name, served, answer.status, started)
        if answer.status < _CLIENT_ERROR:
            self._capture_invocation(p, served, config, answer, moment)

    def _capture_invocation(
        self,
        p: Params,
        variant: str,
        config: Params | None,
        answer: ContainerAnswer,
        moment: float,
    ) -> None:
        """Capture one request and its answer under the variant's name, if it is in the sample."""
        if config is None or not capture.is_sampled(config):
            return
        record = capture.build_record(
            config,
            request=(p.get("Body") or b"", _content_types(p)[0]),
            answer=(answer.body, answer.content_type),
            moment=moment,
            event_id=str(uuid.uuid4()),
            inference_id=p.get("InferenceId"),
            custom_attributes=p.get("CustomAttributes"),
        )
        self.capture.add_record(config, p["EndpointName"], variant, record, moment)

    def close(self) -> None:
        """Deliver what was captured."""
        self.capture.deliver_waiting()

    def _put_object(self, bucket: str, key: str, body: bytes) -> None:
        if not self.cloud.s3.write_object(bucket, key, body, "application/octet-stream"):
            self.cloud.warn(f"Data capture is lost: there is no bucket {bucket}.")

    def _record_metrics(self, endpoint: str, variant: str, status: int, started: float) -> None:
        metrics, microseconds = self.cloud.metrics, (time.perf_counter() - started) * 1e6
        dimensions = {"EndpointName": endpoint, "VariantName": variant}
        metrics.record_count("AWS/SageMaker", "Invocations", dimensions)
        client = _CLIENT_ERROR <= status < _SERVER_ERROR
        values = {
            "Invocation4XXErrors": (float(client), "Count"),
            "Invocation5XXErrors": (float(status >= _SERVER_ERROR), "Count"),
            "InvocationModelErrors": (float(status >= _CLIENT_ERROR), "Count"),
            "ModelLatency": (microseconds, "Microseconds"),
        }
        for name, (value, unit) in values.items():
            metrics.record_value("AWS/SageMaker", name, dimensions, value, unit)

    def _model_error(self, name: str, variant: str, answer: ContainerAnswer) -> AwsError:
        whose = "client" if answer.status < _SERVER_ERROR else "server"
        text = answer.body.decode("utf-8", "replace")
        group = f"/aws/sagemaker/Endpoints/{name}"
        region, account = self.cloud.region, self.cloud.account
        return AwsError(
            "ModelError",
            f'Received {whose} error ({answer.status}) from {variant} with message "{text}". See '
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={group} in account {account} for more information.",
            424,
            {
                "OriginalStatusCode": answer.status,
                "OriginalMessage": text,
                "LogStreamArn": self.cloud.build_arn("logs", f"log-group:{group}"),
            },
        )


def _content_types(p: Params) -> tuple[str, str]:
    """Return the content type of a request, and the one that it accepts."""
    return p.get("ContentType") or "application/octet-stream", p.get("Accept") or "application/json"
