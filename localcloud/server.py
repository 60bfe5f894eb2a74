"""Server: which service answers a request; own services first, moto behind them."""

import datetime as dt
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from localcloud import admin, browsers, requests, signatures, wire
from localcloud.cloud import LocalCloud
from localcloud.disk import FULL
from localcloud.errors import AwsError
from localcloud.s3 import api as s3
from localcloud.s3 import posts
from localcloud.service import Unowned
from localcloud.wire import Call, Environ, Params, Response
from workflow.errors import WorkflowError

_DENIED = "AccessDenied"
_UNRETRIED = 507
"""The status of what is wrong with this machine: no SDK repeats such a request."""


class Router:
    """Answers every request to the local cloud.

    Args:
        cloud: The cloud, started.
        any_credentials: Whether requests are answered whoever signed them, or nobody.
    """

    def __init__(self, cloud: LocalCloud, *, any_credentials: bool) -> None:
        self._cloud = cloud
        self._any_credentials = any_credentials
        self._admin = admin.Admin(cloud)

    def refuse_early(self, environ: Environ) -> Response | None:
        """Return the answer to a request that a web page may have sent; None for any other."""
        headers = wire.request_headers(environ)
        service, _ = wire.signed_scope(environ) or ("s3", "")
        if environ["PATH_INFO"].startswith("/_localcloud/"):
            service = admin.NAME
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        # Without signatures, Host alone tells a client of this machine from a page by DNS
        # rebinding.
        port = urlsplit(self._cloud.endpoint_url).port if self._any_credentials else None
        text = browsers.find_refusal(method, path, environ["QUERY_STRING"], headers, port=port)
        kind = browsers.form_type(method, headers)
        taken = wire.form_types(service)
        if text is None and kind not in (None, *taken) and not posts.is_form(environ):
            text = (
                f"This call takes no body of type {kind}, which a web page can send: "
                "give it the content-type of its protocol, such as application/json."
            )
        return (
            None
            if text is None
            else _error_response(environ, service, AwsError(_DENIED, text, 403))
        )

    def __call__(self, environ: Environ) -> Response:
        """Answer one request."""
        service, region = wire.signed_scope(environ) or ("s3", self._cloud.region)
        if environ["PATH_INFO"].startswith("/_localcloud/"):
            service = admin.NAME
        by_page = browsers.by_page(wire.request_headers(environ))
        # A form has its signature in its policy, which ``posts`` checks.
        if (by_page or not self._any_credentials) and not posts.is_form(environ):
            try:
                signatures.check_request(
                    environ, self._cloud.credentials, service, dt.datetime.now(dt.UTC)
                )
            except AwsError as error:
                return _error_response(environ, service, error)
        try:
            return self._route_request(environ, service, region)
        except WorkflowError as error:
            problem = error
        except OSError as error:
            if error.errno not in FULL:
                raise
            problem = self._cloud.store.disk.full_error()
        text = f"{problem.message} {problem.remedy}"
        return _error_response(
            environ, service, AwsError(f"LocalCloud.{problem.code}", text, _UNRETRIED)
        )

    def _route_request(self, environ: Environ, service: str, region: str) -> Response:
        if service == admin.NAME:
            return self._admin.answer_request(environ)
        conditions = self._cloud.conditions
        call = requests.identify_call(environ, service, region) if conditions else None
        if conditions is None or call is None:
            return self._dispatch_request(environ, service, region)
        try:
            go_on = partial(self._dispatch_request, environ, service, region)
            return conditions.answer_request(environ, call, go_on)
        except AwsError as error:
            return _error_response(environ, service, error)

    def _dispatch_request(self, environ: Environ, service: str, region: str) -> Response:
        if service == "s3":
            return self._cloud.s3.answer_request(environ)
        if service in self._cloud.services:
            return self._call_own_service(environ, service, region)
        return self._call_moto(environ, service, region)

    def _call_own_service(self, environ: Environ, service: str, region: str) -> Response:
        try:
            call = wire.parse_call(environ, service, region)
            handler = self._find_handler(call)
            self._cloud.admit_call(call)
            return wire.build_response(environ, call, handler(call))
        except AwsError as error:
            return wire.error_response(environ, service, error)
        except Unowned:
            return self._call_moto(environ, service, region)

    def _call_moto(self, environ: Environ, service: str, region: str) -> Response:
        try:
            if call := requests.identify_call(environ, service, region):
                self._cloud.admit_call(call)
            return self._cloud.moto.answer_request(environ)
        except AwsError as error:
            return wire.error_response(environ, service, error)
        except NotImplementedError:
            text = f"The local cloud has no such operation of {service}."
            return wire.error_response(environ, service, AwsError("NotImplemented", text, 501))

    def _find_handler(self, call: Call) -> Callable[[Call], Params]:
        service = self._cloud.services[call.service]
        handler = service.find_operation(call.operation)
        if handler is not None:
            return handler
        if service.rest_is_motos:
            raise Unowned
        raise AwsError(
            "NotImplemented",
            f"The local cloud has no {call.operation}; docs/local-cloud.md says what it has.",
            501,
        )


def _error_response(environ: Environ, service: str, error: AwsError) -> Response:
    return (
        s3.error_response(environ, error)
        if service == "s3"
        else wire.error_response(environ, service, error)
    )
