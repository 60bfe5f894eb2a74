"""Keep what boto3 and moto work out again for each session, client and call.

A test has sessions and clients of its own, hundreds in a run; what these keep depends on nothing
but the files of the two libraries.
"""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import moto.core.responses
from botocore.client import ClientCreator
from botocore.loaders import Loader, create_loader
from botocore.model import ServiceModel
from moto.core.base_backend import BaseBackend

_urls_of: Any = vars(BaseBackend)["urls"].fget
_urls: dict[type, Any] = {}


class _MethodNames:
    """The names of a class's functions, of which moto asks for one in each call."""

    def __init__(self, owner: type) -> None:
        self._owner = owner

    def __contains__(self, name: str) -> bool:
        return inspect.isfunction(getattr(self._owner, name, None))


@cache
def _loader() -> Loader:
    """Return a loader for all sessions of boto3's. moto has its own, whose models it changes."""
    loader = create_loader()
    loader.search_paths.append(str(Path(boto3.__file__).parent / "data"))
    return loader


@cache
def _shared_model(service: str, version: str | None) -> ServiceModel:
    return ServiceModel(_loader().load_service_model(service, "service-2", version), service)


def _share_loader(session: Any) -> None:
    session._loader = _loader()
    session._session.register_component("data_loader", session._loader)


def _load_model(creator: Any, service: str, api_version: str | None = None) -> ServiceModel:
    if creator._loader is _loader():
        return _shared_model(service, api_version)
    return ServiceModel(
        creator._loader.load_service_model(service, "service-2", api_version), service
    )


def _urls_once(backend: Any) -> Any:
    """Return the patterns of a service, which moto makes again in each call."""
    if type(backend) not in _urls:
        _urls[type(backend)] = _urls_of(backend)
    return _urls[type(backend)]


def install() -> None:
    """Have boto3 and moto keep them, for as long as this process lives."""
    session: Any = boto3.Session
    creator: Any = ClientCreator
    backend: Any = BaseBackend
    responses: Any = moto.core.responses
    session._setup_loader = _share_loader
    creator._load_service_model = _load_model
    backend.urls = property(_urls_once)
    responses.method_names_from_class = _MethodNames
