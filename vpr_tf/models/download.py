"""Downloads weights to a cache folder: resumable, whole or not at all, verified.

No kept library does this in public. `keras.utils.get_file` starts anew after each
break, waits for a silent server for ever and follows redirects to plain http;
`huggingface_hub` resumes, but what it makes public loads from its own Hub alone, and
most of the released weights are on GitHub.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpr_tf.atomic_files import write_json
from vpr_tf.terminal_bar import TerminalBar

_CACHE_VARIABLE = "VPR_TF_CACHE"
_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
_CHUNK_BYTES = 2**20
_MOST_ATTEMPTS = 5  # without any progress the first failure is the last
# Other OSErrors come from the disk.
_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)


def default_cache_dir() -> Path:
    """Returns the folder `$VPR_TF_CACHE`, or `~/.cache/vpr_tf`."""
    folder = os.environ.get(_CACHE_VARIABLE)
    return Path(folder) if folder else Path.home() / ".cache" / "vpr_tf"


def download(
    url: str,
    path: Path,
    *,
    size_bytes: int | None = None,
    sha256: str | None = None,
    timeout_s: float = 30.0,
    progress: bool = True,
) -> str:
    """Downloads a file unless it is there; continues what was interrupted.

    The checksum of the first download is kept beside the file and compared at every
    later use.

    Args:
        url: An https address (http for this machine alone).
        path: Where the file goes; it appears there when it is whole.
        size_bytes: Its length, if known.
        sha256: Its checksum in hexadecimal, if known.
        timeout_s: Seconds without any data after which the network counts as lost.
        progress: Whether a progress bar is drawn.

    Returns:
        The checksum of the file.

    Raises:
        ConnectionError: The file cannot be fetched whole; the message says why.
        ValueError: The address is not https, or size or checksum differ from what
            they should be.
    """
    _check_url(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(f"{path.name}.lock")):
        record_path = path.with_name(f"{path.name}.json")
        if path.is_file():
            actual = _check_file(path, size_bytes, sha256 or _recorded(record_path))
            if not record_path.is_file():  # somebody put the file there
                _record(record_path, url, path, actual)
            return actual
        partial = path.with_name(f"{path.name}.partial")
        _fetch(url, partial, timeout_s, progress)
        try:
            actual = _check_file(partial, size_bytes, sha256)
        except ValueError:
            partial.unlink()
            raise
        _record(record_path, url, partial, actual)
        partial.replace(path)
    return actual


def discard_download(path: Path) -> None:
    """Deletes a downloaded file that turned out to be of no use."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.json").unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """Returns the checksum of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recorded(record_path: Path) -> str | None:
    if not record_path.is_file():
        return None
    try:
        return str(json.loads(record_path.read_text())["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{record_path} is damaged. Delete it and the file beside it."
        ) from error


def _record(record_path: Path, url: str, path: Path, sha256: str) -> None:
    record = {"url": url, "sha256": sha256, "size_bytes": path.stat().st_size}
    write_json(record_path, record)


def _check_file(path: Path, size_bytes: int | None, sha256: str | None) -> str:
    name = path.name.removesuffix(".partial")
    size = path.stat().st_size
    if size_bytes is not None and size != size_bytes:
        raise ValueError(
            f"{name} must have {size_bytes} bytes. Received: {size}. Delete {path} if "
            "it is there, and download it again."
        )
    actual = file_sha256(path)
    if sha256 is not None and actual != sha256:
        raise ValueError(
            f"{name} must have the sha256 {sha256}. Received: {actual}. It is damaged "
            f"or was changed: delete {path} if it is there, and download it again."
        )
    return actual


def _fetch(url: str, partial: Path, timeout_s: float, progress: bool) -> None:
    for attempt in range(_MOST_ATTEMPTS):
        before = _size(partial)
        try:
            _fetch_once(url, partial, timeout_s, progress)
            return
        except _NETWORK_ERRORS as error:
            last = attempt + 1 == _MOST_ATTEMPTS or _size(partial) <= before
            if isinstance(error, urllib.error.HTTPError):
                error.close()
                if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                    partial.unlink()  # it is longer than the file
                    last = attempt + 1 == _MOST_ATTEMPTS
            if last:
                raise ConnectionError(
                    f"{url} could not be downloaded: {_reason(error)}. What has "
                    "arrived is kept, and the same call continues. Without network, "
                    "fetch the file on another machine and convert it: vpr "
                    "convert --checkpoint FILE --name NAME --output "
                    "NAME.keras"
                ) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _fetch_once(url: str, partial: Path, timeout_s: float, progress: bool) -> None:
    """Fetches what is missing.

    Raises:
        OSError: The network or the server failed.
        http.client.HTTPException: The server broke off.
    """
    tag_path = partial.with_name(f"{partial.name}.tag")
    start = _size(partial) if tag_path.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "vpr_tf"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", tag_path.read_text())
    with _OPENER.open(request, timeout=timeout_s) as response:
        tag_path.unlink(missing_ok=True)
        if response.headers.get_content_type() == "text/html":
            raise ConnectionError("the server sent a web page, not the file")
        total = _total_bytes(response, start)
        if response.status != http.client.PARTIAL_CONTENT:
            start = 0
        tag = response.headers.get("ETag") or response.headers.get("Last-Modified")
        with partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            if tag and not tag.startswith("W/"):  # a weak tag promises no same bytes
                tag_path.write_text(tag)
            _copy(response, file, start, total, partial.name if progress else None)
    tag_path.unlink(missing_ok=True)


def _total_bytes(response: Any, start: int) -> int | None:
    """Returns the length of the whole file; None if the server does not say."""
    if response.status == http.client.PARTIAL_CONTENT:
        unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
        place, _, total = rest.partition("/")
        if unit != "bytes" or place.partition("-")[0] != str(start):
            raise ConnectionError("the server sent another part than was requested")
        if not total.isdigit():
            raise ConnectionError("the server does not say how long the file is")
        return int(total)
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _copy(
    response: Any, file: Any, start: int, total: int | None, name: str | None
) -> None:
    received = start
    with TerminalBar(
        desc=(name or "").removesuffix(".partial"),
        total=total,
        initial=start,
        unit="B",
        unit_scale=True,
        disable=name is None,
    ) as bar:
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            received += len(chunk)
            bar.update(len(chunk))
        file.truncate()
    if total is not None and received != total:
        raise ConnectionError(
            f"the connection ended after {received:,} of {total:,} bytes"
        )


def _check_url(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK_HOSTS
    if parts.scheme != "https" and not local:
        raise ValueError(f"Weights are downloaded by https only. Received: {url!r}")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str
    ) -> Any:
        _check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_CheckedRedirects)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server replied {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lets one process at a time download a file."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
