"""XML as S3 writes and reads it."""

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from localcloud.errors import AwsError

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def build_document(root: str, content: Mapping[str, Any]) -> bytes:
    """Return an XML document: a mapping becomes elements, a list repeated ones, None nothing."""
    inner = "".join(_build_elements(content))
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<{root} xmlns="{_NAMESPACE}">{inner}</{root}>'.encode()


def build_error(code: str, message: str, members: Mapping[str, Any]) -> bytes:
    """Return an error document, which has no namespace."""
    inner = "".join(_build_elements({"Code": code, "Message": message, **members}))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


def parse_document(body: bytes) -> ET.Element:
    """Return the root of a document, its names without namespace.

    Raises:
        AwsError: ``MalformedXML``.
    """
    if b"<!DOCTYPE" in body:
        raise _malformed_error()
    try:
        root = ET.fromstring(body)  # noqa: S314 - no entities without a DOCTYPE
    except ET.ParseError as error:
        raise _malformed_error() from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def read_text(element: ET.Element, path: str, default: str = "") -> str:
    """Return the text at a path below an element."""
    return element.findtext(path, default) or default


def _build_elements(content: Mapping[str, Any]) -> Iterator[str]:
    for name, value in content.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping):
                yield f"<{name}>{''.join(_build_elements(item))}</{name}>"
            elif isinstance(item, bool):
                yield f"<{name}>{str(item).lower()}</{name}>"
            elif item is not None:
                yield f"<{name}>{escape(str(item))}</{name}>"


def _malformed_error() -> AwsError:
    return AwsError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
