"""Parameter docs: ``python -m localcloud.parameter_docs`` writes what is not implemented.

The lists are made of botocore's models and ``parameters.toml``, and put between two marks in
``docs/local-cloud.md``. A test fails where they are not current, as after an update of botocore.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore import xform_name
from moto.sagemaker.responses import SageMakerResponse
from moto.servicequotas.responses import ServiceQuotasResponse

from localcloud.parameters import Honoured, load_table
from localcloud.s3.api import S3
from localcloud.s3.parameters import NOT_IMPLEMENTED
from localcloud.store import Store

PAGE = Path(__file__).parent.parent / "docs" / "local-cloud.md"
MOTOS: dict[str, type] = {
    "sagemaker": SageMakerResponse,
    "service-quotas": ServiceQuotasResponse,
}
"""What answers the rest of the operations of a service that is moto's otherwise."""

BEGIN = "<!-- made by python -m localcloud.parameter_docs -->\n"
END = "<!-- end -->\n"


def list_refused(shape: Any, honoured: Honoured, path: str = "") -> Iterator[str]:  # noqa: ANN401 - botocore has no types
    """Yield the paths of an input that are answered with NotImplemented.

    Args:
        shape: botocore's shape of the input, or of the member at ``path``.
        honoured: What the operation honours.
        path: Where the shape is.
    """
    while shape.type_name == "list":
        shape = shape.member
    if path in honoured.whole:
        return
    if path in honoured.only:
        yield f"{path} other than {' or '.join(sorted(honoured.only[path]))}"
    elif path and not any(known.startswith(f"{path}.") for known in honoured.paths):
        yield path
    elif shape.type_name == "map" and not getattr(shape.key, "enum", []):
        known = sorted(known.removeprefix(f"{path}.") for known in honoured.paths if "." in known)
        yield f"{path} other than {' or '.join(known)}"
    else:
        names = shape.key.enum if shape.type_name == "map" else shape.members
        for name in names:
            inner = shape.value if shape.type_name == "map" else shape.members[name]
            yield from list_refused(inner, honoured, f"{path}.{name}" if path else name)


def build_text() -> str:
    """Return the lists as they belong on the page."""
    session = botocore.session.get_session()
    rows = ["| | refused | kept and shown, without effect |", "|---|---|---|"]
    for service in sorted({*load_table(), "s3"}):
        cells = _list_s3(session) if service == "s3" else _list_honoured(session, service)
        same: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, refused, kept in cells:
            if refused or kept:
                same[refused, kept].append(name)
        rows += [f"| {service} {', '.join(names)} | {r} | {k} |" for (r, k), names in same.items()]
    return "\n".join([*rows, "", *_list_operations(session), ""])


def _list_honoured(session: Any, service: str) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - botocore has no types
    """Yield an operation, what it refuses and what it only keeps."""
    model = session.get_service_model(service)
    for name, honoured in sorted(load_table()[service].items()):
        shape = model.operation_model(name).input_shape
        refused = [] if shape is None else list(list_refused(shape, honoured))
        yield name, _join_names(refused), _join_names(sorted(honoured.kept))


def _list_s3(session: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - botocore has no types
    """Yield the same of S3, which keeps nothing only."""
    model = session.get_service_model("s3")
    for name in sorted(_s3_operations()):
        members = model.operation_model(name).input_shape.members
        headers = {member: str(m.serialization.get("name", "")) for member, m in members.items()}
        refused = [m for m, header in headers.items() if NOT_IMPLEMENTED.fullmatch(header.lower())]
        yield name, _join_names(refused), ""


def _s3_operations() -> set[str]:
    """Return what S3 has; it is made as a cloud makes it, in a place of its own."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        cloud: Any = SimpleNamespace(store=store, region="us-east-1", endpoint_url="")
        found = set(S3(cloud).operations)
        store.close()
    return found


def _list_operations(session: Any) -> Iterator[str]:  # noqa: ANN401 - botocore has no types
    """Yield a row for each service that is this cloud's own, and the operations left to moto."""
    yield "| | operations | answered here | answered by moto | refused |"
    yield "|---|---|---|---|---|"
    left: dict[str, list[str]] = {}
    owned = {service: set(operations) for service, operations in load_table().items()}
    for service, own in sorted({**owned, "s3": _s3_operations()}.items()):
        every = set(session.get_service_model(service).operation_names)
        motos = sorted(n for n in every - own if hasattr(MOTOS.get(service), xform_name(n)))
        rest = len(every) - len(own) - len(motos)
        yield f"| {service} | {len(every)} | {len(own)} | {len(motos)} | {rest} |"
        if motos:
            left[service] = motos
    for service, motos in left.items():
        yield ""
        yield f"Answered by moto, of {service}: {_join_names(motos)}."


def _join_names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def place_text(page: str) -> str:
    """Return the page with the lists in their place."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}{build_text()}{END}{rest.split(END)[1]}"


def main() -> int:
    """Write the page."""
    PAGE.write_text(place_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
