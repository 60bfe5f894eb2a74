"""Function code: the zip of a function, checked when it is uploaded and unpacked when it runs."""

import io
import uuid
import zipfile
from pathlib import Path

from localcloud.errors import AwsError

ZIP_LIMIT = 52_428_800
UNZIPPED_LIMIT = 262_144_000


def check_zip(data: bytes, *, direct: bool) -> None:
    """Refuse a zip that Lambda would not take.

    Args:
        data: The zip.
        direct: Whether it was sent in the request, which allows less than one from S3.

    Raises:
        AwsError: It is not a zip, or too large.
    """
    if direct and len(data) > ZIP_LIMIT:
        raise AwsError(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {ZIP_LIMIT} bytes for the CreateFunction operation",
            413,
        )
    try:
        size = sum(entry.file_size for entry in zipfile.ZipFile(io.BytesIO(data)).infolist())
    except zipfile.BadZipFile as error:
        raise AwsError(
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ) from error
    if size > UNZIPPED_LIMIT:
        raise AwsError(
            "InvalidParameterValueException",
            f"Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes",
        )


def unpack_zip(archive: Path, folder: Path) -> Path:
    """Unpack a function's zip once, with read-only files; return the folder.

    Raises:
        zipfile.BadZipFile: It is not a zip.
    """
    if not folder.exists():
        temporary = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.part")
        with zipfile.ZipFile(archive) as code:
            code.extractall(temporary)
        for path in temporary.rglob("*"):
            if path.is_file():
                path.chmod(0o444)
        try:
            temporary.rename(folder)
        # Another invocation may have unpacked the same code meanwhile.
        except OSError:
            if not folder.exists():
                raise
    return folder
