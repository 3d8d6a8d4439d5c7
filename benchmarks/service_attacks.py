"""Table of attacks on the service, by header, path, zip, polyglot and decompression.

    python -m benchmarks.service_attacks --index DIR [--photos ROOT]

Each is sent to a server of its own process through a socket, byte by byte as it stands
here. The table tells what was answered, in how many seconds, and by how much the most
memory of the server and its decoders grew; a status of 0 is a connection that the
server closed. The exit status is 1 if one was a 5xx, took over 15 s, or the server did
not answer a photo afterwards.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import multiprocessing
import socket
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image

from vpr_tf.tables import Column, Table

_HOST, _SLOWEST_S = "127.0.0.1", 15.0
_ERROR = 500


class Attack(NamedTuple):
    """What is sent.

    Attributes:
        kind: What it abuses.
        name: For people.
        request: Bytes, or what yields them.
    """

    kind: str
    name: str
    request: bytes | Callable[[], Iterator[bytes]]


def main(arguments: list[str] | None = None) -> int:
    """Sends the attacks and prints the table; returns 1 if one succeeded."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service_attacks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--index", type=Path, required=True, help="with its encoder")
    parser.add_argument("--photos", type=Path, help="database photos to be shown")
    options = parser.parse_args(arguments)
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port = free.getsockname()[1]
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(options.index, options.photos, port)
    )
    server.start()
    try:
        _wait_for(port)
        send(port, post(_photo()))
        rows = [_row(port, server.pid or 0, attack) for attack in attacks()]
        is_well = send(port, post(_photo()))[0] == 200
    finally:
        server.terminate()
        server.join()
    columns = [
        Column("attack", "name"),
        Column("by", "name"),
        Column("status", digits=0),
    ]
    columns += [Column("seconds", digits=2), Column("MB", digits=0)]
    print(Table(f"{len(rows)} attacks", columns, rows).to_text())
    print(f"A photo afterwards is {'localized' if is_well else 'NOT localized'}.")
    bad = [row for row in rows if int(row[2]) >= _ERROR or float(row[3]) > _SLOWEST_S]
    return int(bool(bad) or not is_well)


def _serve(index: Path, photos: Path | None, port: int) -> None:
    import uvicorn

    from vpr_tf.serving import ServiceSettings, create_app

    app = create_app(ServiceSettings({"town": index}, photos=photos, max_upload_s=5))
    uvicorn.run(app, host=_HOST, port=port, log_level="critical")


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            if send(port, b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("The server did not start.")


def send(
    port: int, request: bytes | Callable[[], Iterator[bytes]]
) -> tuple[int, bytes]:
    """Sends bytes; returns the status of the answer, 0 for none, and what came."""
    received = b""
    with socket.create_connection((_HOST, port), timeout=60) as connection:
        try:
            parts = iter([request]) if isinstance(request, bytes) else request()
            for part in parts:
                connection.sendall(part)
            while b"\r\n\r\n" not in received:
                part = connection.recv(65536)
                if not part:
                    break
                received += part
        except (ConnectionError, BrokenPipeError):
            with contextlib.suppress(OSError):
                received += connection.recv(65536)
    first = received.split(b" ", 2)
    return (int(first[1]) if len(first) > 1 else 0), received


def _row(port: int, pid: int, attack: Attack) -> tuple[str, str, int, float, float]:
    before, start = _most_memory_mb(pid), time.perf_counter()
    status, _ = send(port, attack.request)
    seconds = time.perf_counter() - start
    grown = max(0.0, _most_memory_mb(pid) - before)
    return attack.name, attack.kind, status, seconds, grown


def _most_memory_mb(pid: int) -> float:
    """Returns the most memory that a process and its children ever had, together."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    total = 0
    for one in family:
        text = Path(f"/proc/{one.pid}/status").read_text()
        peak = [line for line in text.splitlines() if line.startswith("VmHWM")]
        total += int(peak[0].split()[1]) if peak else 0
    return total / 1000


def post(body: bytes, kind: str = "image/jpeg", query: str = "", *more: str) -> bytes:
    """Returns a request to localize."""
    lines = [
        f"POST /v1/localize{query} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def get(path: str, *more: str) -> bytes:
    """Returns a request of a path."""
    return "\r\n".join(
        [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""]
    ).encode()


def attacks() -> Iterator[Attack]:
    """Returns the attacks."""
    yield from _by_header()
    yield from _by_path()
    yield from _by_container()
    yield from _by_polyglot()
    yield from _by_decompression()
    yield from _by_json()


def _by_header() -> Iterator[Attack]:
    kind, photo = "header", _photo()
    start = (
        b"POST /v1/localize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
    )
    yield Attack(kind, "foreign Host", get("/v1/indexes").replace(b"127.0.0.1", b"a.b"))
    yield Attack(
        kind, "foreign Origin", post(photo, "image/jpeg", "", "Origin: http://a.b")
    )
    yield Attack(kind, "line break in Accept", get("/healthz", "Accept: a\r\n\tX: y"))
    yield Attack(kind, "header of 1 MB", get("/healthz", "X: " + "x" * 1_000_000))
    yield Attack(kind, "100,000 headers", get("/healthz", *["X: y"] * 100_000))
    yield Attack(kind, "Content-Length below 0", start + b"Content-Length: -1\r\n\r\n")
    yield Attack(
        kind,
        "Content-Length of 10^18",
        start + b"Content-Length: 1%b\r\n\r\n" % (b"0" * 18),
    )
    yield Attack(
        kind,
        "two Content-Lengths",
        start + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxxx",
    )
    yield Attack(
        kind,
        "length and chunks",
        start + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    )
    yield Attack(kind, "no JPEG, no length", start + b"\r\n")

    def endless() -> Iterator[bytes]:
        yield start + b"Transfer-Encoding: chunked\r\n\r\n"
        for _ in range(4000):
            yield b"10000\r\n" + bytes(0x10000) + b"\r\n"

    def dripping() -> Iterator[bytes]:
        yield start + b"Content-Length: 1000\r\n\r\n"
        for _ in range(8):
            yield b"x"
            time.sleep(1)

    yield Attack(kind, "endless chunks", endless)
    yield Attack(kind, "a byte a second", dripping)
    boundary = b"--x\r\n" + b"A: b\r\n" * 100_000
    yield Attack(
        kind,
        "100,000 headers of a part",
        post(boundary, "multipart/form-data; boundary=x"),
    )
    part = _part(b"a")
    yield Attack(
        kind, "100,000 parts", post(part * 100_000, "multipart/form-data; boundary=x")
    )


def _by_path() -> Iterator[Attack]:
    kind = "path"
    for path in (
        "../../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "....//etc/passwd",
        "a.jpg%00.png",
        "%c0%ae%c0%ae/x",
        "C:%5cx",
        "%ff",
    ):
        yield Attack(
            kind,
            f"thumbnail of {path}",
            get(f"/v1/indexes/town/photos/{path}/thumbnail"),
        )
    yield Attack(kind, "index ../town", get("/v1/indexes/..%2ftown"))
    yield Attack(kind, "static file", get("/static/..%2f..%2fsettings.py"))
    body = _part(b"../../../etc/cron.d/x", _photo()) + b"--x--\r\n"
    yield Attack(
        kind, "file name of a photo", post(body, "multipart/form-data; boundary=x")
    )
    yield Attack(
        kind, "index of a photo", post(_photo(), "image/jpeg", "?index=../../etc")
    )


def _by_container() -> Iterator[Attack]:
    kind, file = "zip", io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/x.jpg", bytes(10_000_000))
    yield Attack(kind, "zip as a photo", post(file.getvalue()))
    yield Attack(kind, "zip by its type", post(file.getvalue(), "application/zip"))
    packed = zlib.compress(_photo())
    yield Attack(
        kind, "gzip body", post(packed, "image/jpeg", "", "Content-Encoding: gzip")
    )
    yield Attack(kind, "photo with a zip behind it", post(_photo() + file.getvalue()))


def _by_polyglot() -> Iterator[Attack]:
    kind, script = "polyglot", b"<script>alert(1)</script>"
    photo = _photo()
    comment = b"\xff\xfe" + struct.pack(">H", len(script) + 2) + script
    yield Attack(kind, "script in a JPEG", post(photo[:2] + comment + photo[2:]))
    yield Attack(kind, "script before a JPEG", post(script + photo))
    yield Attack(kind, "HTML named as a photo", post(b"<!DOCTYPE html>" + script))
    yield Attack(kind, "SVG", post(b"<svg onload='alert(1)'/>", "image/svg+xml"))
    yield Attack(kind, "PDF", post(b"%PDF-1.7\n" + photo))
    yield Attack(kind, "PNG and JPEG in one", post(b"\x89PNG\r\n\x1a\n" + photo))
    yield Attack(kind, "GIF with a JPEG behind it", post(b"GIF89a" + photo))
    yield Attack(kind, "TIFF", post(b"II*\0\x08\0\0\0" + bytes(40)))
    yield Attack(kind, "PostScript", post(b"%!PS-Adobe-3.0 EPSF-3.0\n"))


def _by_decompression() -> Iterator[Attack]:
    kind, zeros = "decompression", zlib.compress(bytes(300_000_000), 9)
    yield Attack(kind, "PNG of 99 megapixels", post(_png(9900, 10_000, zeros)))
    yield Attack(kind, "PNG of 10^18 pixels", post(_png(2**30, 2**30, zeros)))
    yield Attack(kind, "PNG with 300 MB for 1 pixel", post(_png(1, 1, zeros)))
    pixel = zlib.compress(bytes(4))
    yield Attack(
        kind, "300 MB of text", post(_png(1, 1, pixel, (b"zTXt", b"a\0\0" + zeros)))
    )
    yield Attack(
        kind, "300 MB of profile", post(_png(1, 1, pixel, (b"iCCP", b"a\0\0" + zeros)))
    )
    yield Attack(
        kind,
        "a million chunks",
        post(_png(1, 1, pixel, *[(b"tEXt", b"a\0b")] * 1_000_000)),
    )
    flat = io.BytesIO()
    Image.new("RGB", (10_000, 9_990)).save(flat, "JPEG", progressive=True, quality=1)
    content = flat.getvalue()
    yield Attack(kind, "JPEG of 99 megapixels", post(content))
    yield Attack(kind, "99 megapixels in 100 scans", post(_of_scans(content, 90)))
    small = _photo(progressive=True)
    yield Attack(kind, "JPEG of 2,000 scans", post(_of_scans(small, 2000)))
    yield Attack(
        kind,
        "3 million segments",
        post(b"\xff\xd8" + b"\xff\xfe\0\2" * 3_000_000 + content[2:]),
    )


def _by_json() -> Iterator[Attack]:
    kind, json_type = "JSON", "application/json"
    yield Attack(kind, "50 MB of [", post(b"[" * 50_000_000, json_type))
    yield Attack(
        kind,
        "4 million photos",
        post(b'{"photos":[' + b"{}," * 4_000_000 + b"{}]}", json_type),
    )
    yield Attack(
        kind,
        "a number of 10 MB",
        post(b'{"top_k":' + b"9" * 10_000_000 + b"}", json_type),
    )
    photo = {"photos": [{"data": "A" * 40_000_000}]}
    yield Attack(kind, "30 MB of base64", post(json.dumps(photo).encode(), json_type))
    filled = b"\xff\xd8" + (b"\xff" * 1900 + b"\xfe\0\2") * 9000 + _photo()[2:]
    photo = {"photos": [{"data": base64.b64encode(filled).decode()}] * 2}
    yield Attack(
        kind,
        "JPEGs of 17 million fill bytes",
        post(json.dumps(photo).encode(), json_type),
    )
    yield Attack(
        kind,
        "half of a surrogate",
        post(b'{"photos":[{"data":"","name":"\\ud800"}]}', json_type),
    )


def _of_scans(content: bytes, times: int) -> bytes:
    """Repeats the last scan of a progressive JPEG."""
    start = content.rindex(b"\xff\xda")
    return content[:start] + content[start:-2] * times + content[-2:]


def _part(name: bytes, content: bytes = b"") -> bytes:
    """Returns a part of a multipart body."""
    about = b'Content-Disposition: form-data; name="photos"; filename="%b"' % name
    return b"--x\r\n" + about + b"\r\n\r\n" + content + b"\r\n"


def _photo(progressive: bool = False) -> bytes:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((640, 480)).save(
        file, "JPEG", progressive=progressive
    )
    return file.getvalue()


def _png(width: int, height: int, data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    content = [
        struct.pack(">I", len(one))
        + name
        + one
        + struct.pack(">I", zlib.crc32(name + one))
        for name, one in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(content)


if __name__ == "__main__":
    raise SystemExit(main())
