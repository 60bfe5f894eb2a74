"""SageMaker Runtime: InvokeEndpoint, with its metrics and its data capture."""

import time
import uuid

from localcloud import capture
from localcloud.aws_like.delivery import delivery_of
from localcloud.cloud import LocalCloud
from localcloud.container import ContainerAnswer
from localcloud.endpoints import refused
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
        self.capture = capture.DataCapture(cloud.store, self._put, delivery_of(cloud.allows))

    def start(self) -> None:
        """Deliver what was captured before the process ended; on a full disk, later."""
        try:
            self.capture.flush()
        except WorkflowError as error:
            self.cloud.warn(str(error))

    def invoke_endpoint(self, call: Call) -> Params:
        p = call.params
        name = p["EndpointName"]
        body = p.get("Body") or b""
        if len(body) > _BODY_LIMIT:
            raise refused(f"Request body is larger than the limit of {_BODY_LIMIT} bytes.")
        self.cloud.permissions.check(
            call.access_key,
            "sagemaker:InvokeEndpoint",
            self.cloud.arn("sagemaker", f"endpoint/{name.lower()}"),
            code="AccessDeniedException",
            status=400,
        )
        kind = p.get("ContentType") or "application/octet-stream"
        accept = p.get("Accept") or "application/json"
        moment, started = time.time(), time.perf_counter()
        answer, variant, deployed = self.cloud.endpoints.invoke(
            name, p.get("TargetVariant"), body, kind, accept
        )
        dimensions = {"EndpointName": name, "VariantName": variant["VariantName"]}
        self._measure(dimensions, answer.status, (time.perf_counter() - started) * 1e6)
        if answer.status >= _CLIENT_ERROR:
            raise self._model_error(name, variant["VariantName"], answer)
        config = deployed["capture"]
        if capture.sampled(config):
            record = capture.record(
                config,
                request=(body, kind),
                answer=(answer.body, answer.content_type),
                moment=moment,
                event_id=str(uuid.uuid4()),
                inference_id=p.get("InferenceId"),
                custom_attributes=p.get("CustomAttributes"),
            )
            self.capture.add(config, name, variant["VariantName"], record, moment)
        return {
            "Body": answer.body,
            "ContentType": answer.content_type,
            "InvokedProductionVariant": variant["VariantName"],
        }

    def close(self) -> None:
        """Deliver what was captured."""
        self.capture.flush()

    def _put(self, bucket: str, key: str, body: bytes) -> None:
        if not self.cloud.s3.write(bucket, key, body, "application/octet-stream"):
            self.cloud.warn(f"Data capture is lost: there is no bucket {bucket}.")

    def _measure(self, dimensions: dict[str, str], status: int, microseconds: float) -> None:
        metrics = self.cloud.metrics
        metrics.count("AWS/SageMaker", "Invocations", dimensions)
        client = _CLIENT_ERROR <= status < _SERVER_ERROR
        values = {
            "Invocation4XXErrors": (float(client), "Count"),
            "Invocation5XXErrors": (float(status >= _SERVER_ERROR), "Count"),
            "InvocationModelErrors": (float(status >= _CLIENT_ERROR), "Count"),
            "ModelLatency": (microseconds, "Microseconds"),
        }
        for name, (value, unit) in values.items():
            metrics.record("AWS/SageMaker", name, dimensions, value, unit)

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
                "LogStreamArn": self.cloud.arn("logs", f"log-group:{group}"),
            },
        )
