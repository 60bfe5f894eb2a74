"""SageMaker: endpoints, and what answers behind them."""

import random
import shutil
import threading
import time
from collections import Counter

from localcloud.cloud import LocalCloud
from localcloud.container import Container, ContainerAnswer, ContainerFailed, unpack_archive
from localcloud.errors import AwsError
from localcloud.models import Models, list_records, validation_error
from localcloud.service import now
from localcloud.wire import Call, Params
from workflow.errors import WorkflowError


class Endpoints(Models):
    """The ``sagemaker`` service as far as endpoints go; the rest is moto's."""

    name = "sagemaker"
    rest_is_motos = True

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self._endpoints = cloud.store.load_table("sagemaker.endpoint")
        self._containers: dict[str, Container] = {}
        self._loading = threading.Lock()
        self._unpacked = cloud.store.directory / "models"
        # Unpacked again by each process: what is damaged there would be served for ever.
        shutil.rmtree(self._unpacked, ignore_errors=True)
        self._unpacked.mkdir(exist_ok=True)
        self._folders = cloud.store.directory / "containers"
        shutil.rmtree(self._folders, ignore_errors=True)

    def start(self) -> None:
        """Go on with what was being created, updated or deleted when the process died."""
        super().start()
        for name, endpoint in self._endpoints.items():
            if endpoint["EndpointStatus"] == "Deleting":
                self._begin_deleting(name)
            elif endpoint["EndpointStatus"] in ("Creating", "Updating"):
                self._begin_deployment(name, endpoint["wanted"])

    # -- endpoints -----------------------------------------------------------------------------

    def create_endpoint(self, call: Call) -> Params:
        p = call.params
        wanted = self._plan_deployment(p["EndpointConfigName"])
        self._check_instances(wanted)
        record = {**p, "EndpointStatus": "Creating", "wanted": wanted, "deployed": None}
        arn = self._add_record("endpoint", p["EndpointName"], self._endpoints, record)
        self._begin_deployment(p["EndpointName"], wanted)
        return {"EndpointArn": arn}

    def update_endpoint(self, call: Call) -> Params:
        p, name = call.params, call.params["EndpointName"]
        with self._lock:
            endpoint = self._require_settled(name, "update")
            wanted = self._plan_deployment(p["EndpointConfigName"])
            self._check_instances(wanted)
            if p.get("RetainAllVariantProperties") and endpoint["deployed"]:
                _retain_weights(endpoint["deployed"], wanted)
            changes = {"EndpointStatus": "Updating", "LastModifiedTime": now(), "wanted": wanted}
            self._endpoints[name] = {**endpoint, **changes}
        self._begin_deployment(name, wanted)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def update_endpoint_weights_and_capacities(self, call: Call) -> Params:
        name = call.params["EndpointName"]
        with self._lock:
            endpoint = self._require_settled(name, "update")
            if endpoint["deployed"] is None:  # it has failed before it ever served
                raise validation_error(
                    f'Cannot update failed endpoint "{endpoint["EndpointArn"]}".'
                )
            deployed = {**endpoint["deployed"]}
            wanted = {d["VariantName"]: d for d in call.params["DesiredWeightsAndCapacities"]}
            unknown = wanted.keys() - {one["VariantName"] for one in deployed["variants"]}
            if unknown:
                raise validation_error(f"Could not find variant {', '.join(sorted(unknown))}.")
            for variant in deployed["variants"]:
                desired = wanted.get(variant["VariantName"], {})
                variant["InitialVariantWeight"] = desired.get(
                    "DesiredWeight", variant["InitialVariantWeight"]
                )
                variant["InstanceCount"] = desired.get(
                    "DesiredInstanceCount", variant["InstanceCount"]
                )
            changes = {"deployed": deployed, "LastModifiedTime": now()}
            self._endpoints[name] = {**endpoint, **changes}
        return {"EndpointArn": endpoint["EndpointArn"]}

    def describe_endpoint(self, call: Call) -> Params:
        endpoint = self._get_record("endpoint", call.params["EndpointName"], self._endpoints)
        deployed = endpoint.pop("deployed")
        wanted = endpoint.pop("wanted")
        if endpoint["EndpointStatus"] in {"Creating", "Updating"}:
            endpoint["PendingDeploymentSummary"] = {"EndpointConfigName": wanted["config"]}
        if deployed:
            endpoint["EndpointConfigName"] = deployed["config"]
            endpoint["ProductionVariants"] = [_summarize_variant(v) for v in deployed["variants"]]
            if shadows := deployed.get("shadows"):
                endpoint["ShadowProductionVariants"] = [_summarize_variant(v) for v in shadows]
            if deployed["capture"]:
                endpoint["DataCaptureConfig"] = _capture_summary(deployed["capture"])
        return endpoint

    def delete_endpoint(self, call: Call) -> Params:
        name = call.params["EndpointName"]
        with self._lock:
            endpoint = self._get_record("endpoint", name, self._endpoints)
            status = endpoint["EndpointStatus"]
            if status in ("Creating", "Updating"):
                arn = endpoint["EndpointArn"]
                raise validation_error(f'Cannot update in-progress endpoint "{arn}".')
            changes = {"EndpointStatus": "Deleting", "LastModifiedTime": now()}
            self._endpoints[name] = {**endpoint, **changes}
        if status != "Deleting":
            self._begin_deleting(name)
        return {}

    def list_endpoints(self, call: Call) -> Params:
        return list_records("Endpoints", "Endpoint", self._endpoints, call.params)

    # -- monitoring, as far as the dashboard reads it; new customers cannot have any --------------

    def list_monitoring_schedules(self, call: Call) -> Params:  # noqa: ARG002 - none exist
        return {"MonitoringScheduleSummaries": []}

    def list_monitoring_executions(self, call: Call) -> Params:  # noqa: ARG002 - none exist
        return {"MonitoringExecutionSummaries": []}

    def describe_monitoring_schedule(self, call: Call) -> Params:
        name = call.params["MonitoringScheduleName"]
        raise AwsError("ResourceNotFound", f"Monitoring schedule {name} was not found.")

    # -- invocations ---------------------------------------------------------------------------

    def invoke_variant(
        self, name: str, variant: str | None, body: bytes, kind: str, accept: str
    ) -> tuple[ContainerAnswer, Params, Params]:
        """Ask an endpoint; return the container's answer, its variant and what is deployed."""
        endpoint = self._endpoints.get(name)
        gone = endpoint is not None and endpoint["EndpointStatus"] == "Deleting"
        if endpoint is None or endpoint["deployed"] is None or gone:
            raise invocation_error(f"Endpoint {name} of account {self.cloud.account} not found.")
        deployed = endpoint["deployed"]
        chosen = _choose_variant(deployed["variants"], variant)
        return self.ask_variant(name, chosen, body, kind, accept), chosen, deployed

    def ask_variant(
        self, name: str, chosen: Params, body: bytes, kind: str, accept: str
    ) -> ContainerAnswer:
        """Return what one variant of an endpoint answers."""
        answer, log = self._get_container(name, chosen).answer_request(body, kind, accept)
        if log:
            stream = f"{chosen['VariantName']}/i-{chosen['artifact'][:17]}"
            group = f"/aws/sagemaker/Endpoints/{name}"
            self.cloud.logs.append_lines(group, stream, log.splitlines())
        return answer

    def backdate(self, name: str, at: float) -> None:
        """Have an endpoint, its configuration and its models be as old as a time."""
        with self._lock:
            endpoint = self._get_record("endpoint", name, self._endpoints)
            self._endpoints[name] = {**endpoint, "CreationTime": at, "LastModifiedTime": at}
            config = endpoint["EndpointConfigName"]
            self._configs[config] = {**self._configs[config], "CreationTime": at}

    # -- helpers -------------------------------------------------------------------------------

    def _require_settled(self, name: str, verb: str) -> Params:
        endpoint = self._get_record("endpoint", name, self._endpoints)
        if endpoint["EndpointStatus"] not in ("InService", "Failed"):
            arn, status = endpoint["EndpointArn"], endpoint["EndpointStatus"]
            raise validation_error(f'Cannot {verb} in-progress endpoint "{arn}" ({status}).')
        return endpoint

    def _plan_deployment(self, config_name: str) -> Params:
        """Return an endpoint configuration frozen: variants with their models, and capture."""
        config = self._get_record("endpoint-config", config_name, self._configs)
        return {
            "config": config_name,
            "variants": [self._freeze_variant(one) for one in config["ProductionVariants"]],
            "shadows": [
                self._freeze_variant(one) for one in config.get("ShadowProductionVariants", ())
            ],
            "capture": config.get("DataCaptureConfig"),
        }

    def _freeze_variant(self, variant: Params) -> Params:
        model = self._get_record("model", variant["ModelName"], self._models)
        container = model.get("PrimaryContainer") or (model.get("Containers") or [{}])[0]
        return {
            "VariantName": variant["VariantName"],
            "InitialVariantWeight": variant.get("InitialVariantWeight", 1.0),
            "InstanceCount": variant.get("InitialInstanceCount", 1),
            "InstanceType": variant.get("InstanceType", ""),
            "Image": container.get("Image", ""),
            "Environment": container.get("Environment", {}),
            "ModelDataUrl": container.get("ModelDataUrl", ""),
            "artifact": None,
        }

    def _begin_deployment(self, name: str, wanted: Params) -> None:
        threading.Thread(target=self._deploy_fleet, args=(name, wanted), daemon=True).start()

    def _deploy_fleet(self, name: str, wanted: Params) -> None:
        """Fetch and load the models; then the endpoint is in service, or it has failed."""
        ready_at = time.monotonic() + self.cloud.allows.durations.endpoint_creating
        reason = None
        try:
            for variant in _list_variants(wanted):
                self._fetch_model(variant)
                # Loaded only to see that it can be; the first request starts the one that serves.
                self._load_container(name, variant).close()
        except (AwsError, ContainerFailed) as error:
            reason = self._log_failure(name, variant["VariantName"], str(error))
        except WorkflowError as error:  # a full disk takes no line of a log either
            reason = error.message
        time.sleep(max(0.0, ready_at - time.monotonic()))
        with self._lock:
            endpoint = self._endpoints.get(name)
            # Deleted or updated meanwhile: then the later deployment decides.
            if endpoint is None or endpoint["wanted"]["config"] != wanted["config"]:
                return
            changes: Params = {"LastModifiedTime": now()}
            if reason is None:
                changes |= {"EndpointStatus": "InService", "deployed": wanted}
                endpoint.pop("FailureReason", None)
            else:
                survived = endpoint["deployed"] is not None
                changes |= {
                    "EndpointStatus": "InService" if survived else "Failed",
                    "FailureReason": reason,
                }
            self._endpoints[name] = {**endpoint, **changes}
        if reason is None:
            self._close_containers(name)

    def _begin_deleting(self, name: str) -> None:
        seconds = self.cloud.allows.durations.endpoint_deleting
        if not seconds:
            self._delete_now(name)
            return
        timer = threading.Timer(seconds, self._delete_now, args=(name,))
        timer.daemon = True
        timer.start()

    def _delete_now(self, name: str) -> None:
        self._remove_record("endpoint", name, self._endpoints)
        self._close_containers(name)

    def _check_instances(self, wanted: Params) -> None:
        """Refuse more instances than the account may have; an update needs both fleets at once.

        Raises:
            AwsError: ``ResourceLimitExceeded``.
        """
        limit = self.cloud.allows.endpoint_instances
        if limit is None:
            return
        used: Counter[str] = Counter()
        for endpoint in self._endpoints.values():
            updating = endpoint["EndpointStatus"] in ("Creating", "Updating")
            for fleet in (endpoint["deployed"], endpoint["wanted"] if updating else None):
                used += _count_instances(fleet) if fleet else Counter()
        for kind, count in _count_instances(wanted).items():
            if used[kind] + count > limit:
                raise AwsError(
                    "ResourceLimitExceeded",
                    f"The account-level service limit '{kind} for endpoint usage' is {limit} "
                    f"Instances, with current utilization of {used[kind]} Instances and a request "
                    f"delta of {count} Instances. Please use AWS Service Quotas to request an "
                    "increase for this quota. If AWS Service Quotas is not available, contact AWS "
                    "support to request an increase for this quota.",
                )

    def _log_failure(self, name: str, variant: str, log: str) -> str:
        self.cloud.logs.append_lines(
            f"/aws/sagemaker/Endpoints/{name}", f"{variant}/i-0", log.splitlines()
        )
        return (
            f"The primary container for production variant {variant} did not pass the ping "
            f"health check. Please check CloudWatch logs for this endpoint. Last line: "
            f"{(log.strip().splitlines() or ['nothing was logged'])[-1]}"
        )

    def _fetch_model(self, variant: Params) -> None:
        """Keep the model's archive, so that the endpoint lives on when the object is deleted."""
        bucket, _, key = variant["ModelDataUrl"].removeprefix("s3://").partition("/")
        variant["artifact"] = self.cloud.store.put_blob(self.cloud.s3.read_object(bucket, key))

    def _load_container(self, name: str, variant: Params) -> Container:
        archive = self.cloud.store.blob_path(variant["artifact"])
        folder = unpack_archive(archive, self._unpacked / archive.name)
        environment = {"SAGEMAKER_ENDPOINT_NAME": name, **variant["Environment"]}
        return Container(folder, environment, self._folders)

    def _get_container(self, name: str, variant: Params) -> Container:
        key = f"{name}/{variant['VariantName']}/{variant['artifact']}"
        with self._loading:
            # Locked while it loads, so that a second request waits instead of loading it twice.
            container = self._containers.get(key)
            if container is None or not container.alive:
                try:
                    container = self._containers[key] = self._load_container(name, variant)
                except ContainerFailed as error:
                    raise AwsError("ServiceUnavailable", str(error), 503) from error
            return container

    def _close_containers(self, name: str) -> None:
        with self._loading:
            keys = [key for key in self._containers if key.startswith(f"{name}/")]
            doomed = [self._containers.pop(key) for key in keys]
        for container in doomed:
            container.close()

    def close(self) -> None:
        """End every model server."""
        for name in list(self._endpoints):
            self._close_containers(name)


def invocation_error(message: str) -> AwsError:
    """Return the error of an invocation that reaches no model."""
    # The runtime's name for what the control plane calls ValidationException.
    return AwsError("ValidationError", message)


def _retain_weights(old: Params, new: Params) -> None:
    weights = {v["VariantName"]: v["InitialVariantWeight"] for v in old["variants"]}
    for variant in new["variants"]:
        name = variant["VariantName"]
        variant["InitialVariantWeight"] = weights.get(name, variant["InitialVariantWeight"])


def _list_variants(fleet: Params) -> list[Params]:
    """Return the production variants and the shadow variants of a fleet."""
    return [*fleet["variants"], *fleet.get("shadows", ())]


def choose_shadow(fleet: Params) -> Params | None:
    """Return the shadow variant that gets a copy of a request; None where none does.

    Its share of the requests is its weight in relation to that of the production variant.
    """
    for shadow in fleet.get("shadows", ()):
        whole = fleet["variants"][0]["InitialVariantWeight"]
        if random.random() * whole < shadow["InitialVariantWeight"]:  # noqa: S311 - traffic, not secrets
            return dict(shadow)
    return None


def _count_instances(fleet: Params) -> Counter[str]:
    """Return how many instances of each type a fleet has."""
    used: Counter[str] = Counter()
    for variant in _list_variants(fleet):
        used[variant.get("InstanceType", "")] += variant["InstanceCount"]
    return used


def _choose_variant(variants: list[Params], target: str | None) -> Params:
    if target is not None:
        for variant in variants:
            if variant["VariantName"] == target:
                return variant
        raise invocation_error(f"Variant {target} not found for the endpoint.")
    weights = [variant["InitialVariantWeight"] for variant in variants]
    if not any(weights):
        raise invocation_error("No variant of the endpoint has a weight above 0.")
    return random.choices(variants, weights)[0]  # noqa: S311 - traffic, not secrets


def _summarize_variant(variant: Params) -> Params:
    weight, count = variant["InitialVariantWeight"], variant["InstanceCount"]
    image = variant["Image"]
    return {
        "VariantName": variant["VariantName"],
        "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image}],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }


def _capture_summary(config: Params) -> Params:
    return {
        "EnableCapture": config.get("EnableCapture", True),
        "CaptureStatus": "Started" if config.get("EnableCapture", True) else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }
