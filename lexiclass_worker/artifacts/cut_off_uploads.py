"""Uploads in parts that nobody goes on with: S3 keeps the parts until somebody ends the upload.

Google's and Microsoft's stores drop such parts by themselves after a week.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

_S3 = {"s3", "s3a"}


class Upload(NamedTuple):
    """An upload that has not ended.

    Attributes:
        path: The same, relative to the folder.
    """

    bucket: str
    key: str
    path: str
    upload_id: str


def cut_off_uploads(file_system: Any, base: str, *, before: datetime) -> list[Upload]:
    """The uploads below a folder, in the file system's spelling, without a part since a moment.

    Raises:
        OSError: If the store does not tell.
    """
    protocol = file_system.protocol
    if _S3.isdisjoint([protocol] if isinstance(protocol, str) else protocol):
        return []
    bucket, prefix, _ = file_system.split_path(base)
    folder = f"{prefix}/" if prefix else ""
    found = []
    for each in _uploads(file_system, bucket, folder):
        with suppress(FileNotFoundError):  # it has ended meanwhile
            if each["Initiated"] < before and _last_part(file_system, bucket, each) < before:
                path = each["Key"].removeprefix(folder)
                found.append(Upload(bucket, each["Key"], path, each["UploadId"]))
    return found


def abort(file_system: Any, upload: Upload) -> None:
    """End an upload, and have its parts removed; nothing happens if it has ended."""
    with suppress(FileNotFoundError):
        file_system.call_s3(
            "abort_multipart_upload",
            Bucket=upload.bucket,
            Key=upload.key,
            UploadId=upload.upload_id,
        )


def _uploads(file_system: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    markers: dict[str, str] = {}
    while True:
        page = file_system.call_s3(
            "list_multipart_uploads", Bucket=bucket, Prefix=prefix, **markers
        )
        yield from page.get("Uploads", [])
        if not page.get("IsTruncated"):
            return
        markers = {
            "KeyMarker": page["NextKeyMarker"],
            "UploadIdMarker": page["NextUploadIdMarker"],
        }


def _last_part(file_system: Any, bucket: str, upload: dict[str, Any]) -> datetime:
    """When the last part came, or the upload began."""
    last: datetime = upload["Initiated"]
    markers: dict[str, int] = {}
    while True:
        page = file_system.call_s3(
            "list_parts",
            Bucket=bucket,
            Key=upload["Key"],
            UploadId=upload["UploadId"],
            **markers,
        )
        last = max([last, *(part["LastModified"] for part in page.get("Parts", []))])
        if not page.get("IsTruncated"):
            return last
        markers = {"PartNumberMarker": page["NextPartNumberMarker"]}
