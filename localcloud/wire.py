"""Wire: an HTTP request to an AWS call and a result or error back, by botocore's service models.

Services answer with plain dictionaries; this module knows the protocols (JSON, query, REST-JSON
and RPC v2 CBOR). S3, whose REST dialect has bodies of any size, speaks for itself in ``s3``.
"""

import datetime as dt
import io
import json
import re
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any
from urllib.parse import parse_qsl

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.parsers import BaseCBORParser, ResponseParserError
from botocore.serialize import CBORSerializer
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request as MotoRequest
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from localcloud import browsers
from localcloud.errors import AwsError

Environ = dict[str, Any]
HEADERS = "localcloud.headers"
"""Where a request keeps its headers as they came, by their names in lower case."""
Params = dict[str, Any]

# What the signature calls a service -> what botocore calls it.
_SERVICES = {
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "sagemaker": "sagemaker",
}
# Codes that clients still know by the name they had in an older protocol.
_QUERY_CODES = {"QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue"}
_CREDENTIAL = re.compile(r"Credential=[^/]*/\d{8}/([^/]*)/([^/]*)/aws4_request")
_ACCESS_KEY = re.compile(r"Credential=([^/]*)/")
_CBOR_PATH = re.compile(r"/service/[^/]+/operation/(\w+)")


@dataclass(slots=True)
class Call:
    """One call of an AWS operation.

    Attributes:
        service: botocore's name, such as ``stepfunctions``.
        operation: The operation, such as ``StartExecution``.
        region: The region that the request was signed for.
        params: The input, by the names of the service model.
        headers: The headers of the request, where a call has meaning in them.
        body: The raw body.
        access_key: The access key id that the request was signed with.
    """

    service: str
    operation: str
    region: str
    params: Params
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    access_key: str = ""


@dataclass(slots=True)
class Response:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


def signed_scope(environ: Environ) -> tuple[str, str] | None:
    """Return (service, region) of a signed request, by botocore's names; None if unsigned."""
    match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match is None:
        query = environ.get("QUERY_STRING", "")
        if "X-Amz-Credential" not in query:
            return None
        parts = dict(parse_qsl(query)).get("X-Amz-Credential", "").split("/")
        if len(parts) != 5:  # noqa: PLR2004 - key/date/region/service/aws4_request
            return None
        region, service = parts[2], parts[3]
    else:
        region, service = match.groups()
    # InvokeEndpoint is signed for sagemaker: only its path tells it from the control plane.
    if service == "sagemaker" and environ["PATH_INFO"].startswith("/endpoints/"):
        return "sagemaker-runtime", region
    return _SERVICES.get(service, service), region


def access_key(environ: Environ) -> str:
    """Return the access key id that a request was signed with; nothing for an unsigned one."""
    if authorization := environ.get("HTTP_AUTHORIZATION"):
        match = _ACCESS_KEY.search(str(authorization))
        return match[1] if match else ""
    query = dict(parse_qsl(str(environ.get("QUERY_STRING", ""))))
    return query.get("X-Amz-Credential", "").partition("/")[0] or query.get("AWSAccessKeyId", "")


def request_headers(environ: Environ) -> dict[str, str]:
    """Return the headers of a request by their names in lower case."""
    return dict(environ[HEADERS])


def read_body(environ: Environ) -> bytes:
    """Return the whole body of a request; the stream is rewound, so that it can be read again."""
    stream = environ["wsgi.input"]
    body: bytes = stream.read()
    stream.seek(0)
    return body


def _decompress_body(body: bytes, environ: Environ) -> bytes:
    """Return the body as it was before boto3 compressed it: it does so for metrics above 10 KiB."""
    if environ.get("HTTP_CONTENT_ENCODING") != "gzip":
        return body
    try:
        # 16 more makes zlib expect the gzip header and trailer.
        return zlib.decompress(body, wbits=zlib.MAX_WBITS | 16)
    except zlib.error as error:
        raise AwsError("SerializationException", f"The body is not gzip: {error}") from error


def parse_call(environ: Environ, service: str, region: str) -> Call:
    """Return the AWS call in a request.

    Raises:
        AwsError: ``UnknownOperationException`` or ``SerializationException``.
    """
    body = _decompress_body(read_body(environ), environ)
    target = environ.get("HTTP_X_AMZ_TARGET")
    if match := _CBOR_PATH.fullmatch(environ["PATH_INFO"]):
        params = _from_cbor(body)
        return Call(service, match[1], region, params)
    if target:
        return Call(service, target.rpartition(".")[2], region, _from_json(body), body=body)
    operation, params = _parse_by_model(environ, service, body)
    headers = {"content-type": "", **request_headers(environ)}
    return Call(service, operation, region, params, headers, body, access_key(environ))


def build_response(environ: Environ, call: Call, result: Params) -> Response:
    """Return the response that carries a result, in the protocol of the request."""
    if _CBOR_PATH.fullmatch(environ["PATH_INFO"]):
        shape = _service_model(call.service).operation_model(call.operation).output_shape
        body = bytearray()
        if shape is not None:
            _Cbor().encode(body, result, shape)
        return Response(200, _response_headers(cbor=True), bytes(body))
    if environ.get("HTTP_X_AMZ_TARGET"):
        headers = _response_headers(environ.get("CONTENT_TYPE") or "application/x-amz-json-1.0")
        return Response(200, headers, json.dumps(result, default=_to_epoch).encode())
    model = get_service_model(call.service)
    protocol = "query" if is_query(environ) else str(model.protocol)
    serializer = get_serializer_class(call.service, protocol)
    operation = model.operation_model(call.operation)
    made = serializer(operation_model=operation).serialize(result)
    body_text = made["body"]
    members = operation.output_shape.members if operation.output_shape else {}
    # Some outputs have a member for the HTTP status, such as that of Invoke.
    status = [n for n, m in members.items() if m.serialization.get("location") == "statusCode"]
    return Response(
        result.get(status[0], made["status_code"]) if status else made["status_code"],
        {**_response_headers(), **{k: str(v) for k, v in made["headers"].items()}},
        body_text if isinstance(body_text, bytes) else str(body_text or "").encode(),
    )


def error_response(environ: Environ, service: str, error: AwsError) -> Response:
    """Return the response that carries an error, in the protocol of the request."""
    content = {"__type": error.code, "message": error.message, **error.members}
    if _CBOR_PATH.fullmatch(environ["PATH_INFO"]):
        return Response(error.status, _response_headers(cbor=True), _cbor_map(content))
    if is_query(environ) or _speaks_xml(service):
        request_id = str(uuid.uuid4())
        kind = "Sender" if error.status < 500 else "Receiver"  # noqa: PLR2004 - HTTP
        text = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{_escape_xml(error.code)}</Code>"
            f"<Message>{_escape_xml(error.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Response(error.status, _response_headers("text/xml"), text.encode())
    headers = _response_headers(environ.get("CONTENT_TYPE") or "application/json")
    headers["x-amzn-errortype"] = error.code
    # awsQueryCompatible: SQS moved from query to JSON, and clients still know the old codes.
    if error.code in _QUERY_CODES:
        headers["x-amzn-query-error"] = f"{_QUERY_CODES[error.code]};Sender"
    if service in ("lambda", "sagemaker-runtime"):
        headers["content-type"] = "application/json"
        content = {"Type": "User", "Message": error.message, **content}
    return Response(error.status, headers, json.dumps(content).encode())


@cache
def _speaks_xml(service: str) -> bool:
    """Return whether a service answers in XML, whatever the type of the request."""
    known = service in botocore.session.get_session().get_available_services()
    return known and _service_model(service).metadata["protocol"] == "rest-xml"


@cache
def operation_names(service: str) -> frozenset[str]:
    """Return the names of all operations that AWS has in a service."""
    return frozenset(_service_model(service).operation_names)


@cache
def values_of(service: str, shape: str) -> tuple[str, ...]:
    """Return the values that AWS knows of an enumeration of a service."""
    return tuple(_service_model(service).shape_for(shape).enum)


@lru_cache(256)
def form_types(service: str) -> frozenset[str]:
    """Return the content types that a service takes though a web page's form can send them."""
    if service == "sagemaker-runtime":  # InvokeEndpoint takes whatever the model does
        return browsers.FORMS
    try:
        metadata = _service_model(service).metadata
    except UnknownServiceError:
        return frozenset()
    query = {"query", "ec2"} & set(metadata["protocols"]) or "awsQueryCompatible" in metadata
    return frozenset({browsers.FORM}) if query else frozenset()


@cache
def _service_model(service: str) -> Any:  # noqa: ANN401 - botocore has no types
    return botocore.session.get_session().get_service_model(service)


def is_query(environ: Environ) -> bool:
    """Return whether a request is in the query protocol, which a service may have beside others."""
    return str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")


def _parse_by_model(environ: Environ, service: str, body: bytes) -> tuple[str, Params]:
    request = MotoRequest(environ)
    query = is_query(environ)
    if query:
        operation = request.values["Action"]
        uri: dict[str, Any] = {}
    else:
        try:
            matched, uri = get_service_router(service).match(request)
        except NotFound:
            raise AwsError(
                "UnknownOperationException", f"No operation at {environ['PATH_INFO']}.", 404
            ) from None
        operation = str(matched.name)
    model = get_service_model(service)
    protocol = "query" if query else str(model.protocol)
    parser = PROTOCOL_PARSERS[protocol](model.operation_model(operation))
    params = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": uri,
        }
    )
    return operation, params


def _to_epoch(moment: dt.datetime) -> float:
    return moment.timestamp()


def _from_json(body: bytes) -> Params:
    try:
        params = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(params, dict):
        raise AwsError("SerializationException", "The body is not a JSON object.")
    return params


class _Cbor(CBORSerializer):
    """botocore's encoder of values by shape, used in the other direction."""

    def encode(self, body: bytearray, result: Params, shape: Any) -> None:  # noqa: ANN401 - botocore has no types
        """Append a result to a body."""
        self._serialize_data_item(body, result, shape)  # type: ignore[attr-defined]


class _CborReader(BaseCBORParser):
    """botocore's decoder of any CBOR item."""


def _from_cbor(body: bytes) -> Params:
    if not body:
        return {}
    stream = io.BufferedReader(io.BytesIO(body))
    try:
        params = _CborReader().parse_data_item(stream)
    except ResponseParserError as error:
        raise AwsError("SerializationException", f"The body is not CBOR: {error}") from error
    return dict(params)


def _cbor_map(content: Mapping[str, Any]) -> bytes:
    """Return a CBOR map of text to text: all that an error needs."""
    # RFC 8949: 0xA0 is a map, with the number of its pairs (at most 23) in the low five bits.
    body = bytearray([0xA0 | len(content)])
    for item in (str(part) for pair in content.items() for part in pair):
        data = item.encode()
        # 0x79 is text with its length in two bytes.
        body += b"\x79" + len(data).to_bytes(2, "big") + data
    return bytes(body)


def _response_headers(
    content_type: str = "application/json", *, cbor: bool = False
) -> dict[str, str]:
    headers = {"x-amzn-requestid": str(uuid.uuid4()), "content-type": content_type}
    if cbor:
        headers |= {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    return headers


def _escape_xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
