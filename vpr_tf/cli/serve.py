"""Answers by HTTP where photos were taken, and shows a page with a map.

By default everyone on this machine may ask, and no one else. The index is searched as
it is at each request: photos that are added meanwhile are found.

Examples:
  vpr serve --index city.index
  vpr serve --index city.index --photos photos/ --port 9000
  vpr serve --index city.index --host 0.0.0.0 --keys keys.json --workers 4
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.main import INTERRUPTED
from vpr_tf.cli.milvus_options import add_milvus
from vpr_tf.cli.numbers import positive, seconds, whole, workers
from vpr_tf.cli.options import add_public_key, existing_file, folder_name
from vpr_tf.cli.rerank_options import add_rerank, override_of, refuse_unused, rerank_of
from vpr_tf.printable import printable

if TYPE_CHECKING:
    from vpr_tf.serving import ProcessSettings, ServiceSettings

_LAST_PORT = 65_535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "--index",
        action="append",
        required=True,
        metavar="[NAME=]DIR",
        help="folder of an index, and how requests name it: else as the folder; may be "
        "repeated, the first is searched where a request names none",
    )
    add_milvus(parser)
    add_public_key(parser)
    parser.add_argument(
        "--photos",
        type=_folder,
        metavar="ROOT",
        help="folder of the database photos, to show small pictures of them and to "
        "compare photos with them",
    )
    add_rerank(parser)
    _add_access(parser)
    map_of = parser.add_argument_group("map of the page")
    map_of.add_argument(
        "--tiles", metavar="URL", help="of map tiles, with {z}, {x} and {y}"
    )
    map_of.add_argument(
        "--attribution", default="", metavar="TEXT", help="whom the tiles are from"
    )
    add_engine(parser)
    parser.add_argument(
        "--trust-model",
        action="store_true",
        help="load the encoder of an index whatever it holds: it may run anything with "
        "your rights",
    )
    _add_limits(parser)


def _add_access(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who can ask")
    group.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1"
    )
    group.add_argument(
        "--port",
        type=_port,
        default=8080,
        help="port to listen on, 0 for a free one; default: 8080",
    )
    group.add_argument(
        "--keys",
        type=existing_file,
        metavar="FILE",
        help="hashed keys of those who may ask, see `vpr keys`; other addresses than "
        "127.0.0.1 need it",
    )
    group.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="name by which others reach it, besides localhost; may be repeated",
    )
    group.add_argument(
        "--proxies",
        type=_addresses,
        default=(),
        metavar="ADDRESS,...",
        help="proxies whose X-Forwarded-For and X-Forwarded-Proto are believed",
    )
    group.add_argument(
        "--log-clients", action="store_true", help="log the addresses of clients, too"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits")
    group.add_argument(
        "--workers",
        type=workers,
        default=1,
        metavar="N",
        help="processes that answer, each with its share of the cores; default: 1",
    )
    for field, (name, read, text) in _LIMITS.items():
        group.add_argument(f"--{name}", dest=field, type=read, metavar="N", help=text)
    group.add_argument(
        "--drain-seconds",
        type=seconds,
        default=30.0,
        metavar="S",
        help="how long accepted requests may take after SIGTERM; default: 30",
    )


# By the field of `ServiceSettings`, which has the defaults.
_LIMITS = {
    "max_photos": ("max-photos", positive, "photos of one request; default: 20"),
    "max_photo_bytes": ("max-photo-bytes", positive, "default: 20000000"),
    "max_pixels": ("max-pixels", positive, "of one photo; default: 100000000"),
    "max_encoded_pixels": (
        "max-encoded-pixels",
        positive,
        "of one photo as the encoder gets it; default: 4000000",
    ),
    "max_queued": ("max-queued", positive, "photos that wait; default: 64"),
    "max_wait_s": (
        "max-wait-seconds",
        seconds,
        "a photo that would wait longer is refused; default: 5",
    ),
    "max_upload_s": (
        "max-upload-seconds",
        seconds,
        "in which the photos of a request must have arrived; default: 60",
    ),
    "max_describe_s": (
        "max-describe-seconds",
        seconds,
        "in which the encoder must describe a batch; default: 60",
    ),
    "batch_size": ("batch-size", positive, "photos described together; default: 16"),
    "num_decoders": ("decoders", workers, "processes that decode photos; default: 1"),
}


def run(options: argparse.Namespace) -> int:
    """Serves until a signal ends it; returns the exit status."""
    from vpr_tf.extras import import_extra

    for module in ("uvicorn", "fastapi", "python_multipart", "pebble"):
        import_extra(module, "serve")
    from vpr_tf.serving import bind_socket, serve, url_of

    service, how = _service_settings(options), _process_settings(options)
    bound = bind_socket(how.host, how.port, has_keys=service.key_file is not None)
    for line in _described(service, options):
        print(line, flush=True)
    url = url_of(bound)

    def say_ready() -> None:
        print(f"Ready: {url}", flush=True)
        _tell_systemd("READY=1")

    status = serve(
        service, how, bound, on_ready=say_ready, trust_model=options.trust_model
    )
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    return status


def _tell_systemd(state: str) -> None:
    """Says to systemd how far it is, if that started this process.

    Reference:
        sd_notify(3).
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.connect("\0" + address[1:] if address[0] == "@" else address)
            notified.sendall(state.encode())


def _service_settings(options: argparse.Namespace) -> ServiceSettings:
    from vpr_tf.serving import (
        ServiceError,
        ServiceSettings,
        allowed_hosts,
        tiles_origin,
    )

    allowed_hosts(options.host_name)  # refuses before anything is opened
    if options.tiles:
        tiles_origin(options.tiles)
    if bool(options.tiles) != bool(options.attribution):
        raise ServiceError(
            "--tiles and --attribution belong together: a map says whom it is from. "
            "Pass both or none."
        )
    limits = {
        field: value
        for field in _LIMITS
        if (value := getattr(options, field)) is not None
    }
    return ServiceSettings(
        _named_indexes(options.index),
        photos=options.photos,
        key_file=options.keys,
        public_key=options.key,
        encoder_url=options.encoder_url,
        engine=options.engine,
        rerank=override_of(options),
        tiles=options.tiles,
        tiles_attribution=options.attribution,
        hosts=tuple(options.host_name),
        **limits,
    )


def _process_settings(options: argparse.Namespace) -> ProcessSettings:
    from vpr_tf.serving import ProcessSettings

    return ProcessSettings(
        options.host,
        options.port,
        options.workers,
        drain_s=options.drain_seconds,
        proxies=options.proxies,
        logs_clients=options.log_clients,
    )


def _named_indexes(words: list[str]) -> dict[str, Path]:
    """Reads `[NAME=]DIR`s.

    Raises:
        ServiceError: Two have the same name, or a folder's is none.
    """
    from vpr_tf.serving import ServiceError

    named: dict[str, Path] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        if not equals or Path(word).exists():
            name, folder = Path(word).resolve().name.removesuffix(".index"), word
        try:
            folder_name(name)
        except argparse.ArgumentTypeError as error:
            raise ServiceError(f"--index NAME=DIR: {error}") from error
        if name in named:
            raise ServiceError(
                f"Two indexes are called {name}: {named[name]} and {folder}. Pass "
                "--index NAME=DIR with another name."
            )
        named[name] = Path(folder)
    return named


def _described(service: ServiceSettings, options: argparse.Namespace) -> Iterator[str]:
    """Opens what will be served, and says what it is.

    Raises:
        LocalizationError: Photos are to be re-ranked and there is no folder of them.
        RetrievalError: An index is none, damaged or not signed.
        UsageError: Options are of re-ranking, and no index is re-ranked.
    """
    from vpr_tf.place_index import PlaceIndex

    is_reranked = False
    for name, folder in service.indexes.items():
        with PlaceIndex.open(folder, key=service.public_key) as index:
            manifest = index.manifest
            yield printable(
                f"Index {name}: {manifest.num_photos} photos, "
                f"{manifest.encoder_description}"
            )
            looks, notes = rerank_of(
                options, manifest, service.photos, "--photos", is_one_of_several=True
            )
            yield from notes
            is_reranked |= looks is not None or bool(notes)
    if not is_reranked:
        refuse_unused(options)
    if service.key_file is None:
        yield "No keys: everyone on this machine may ask. Nobody may change an index."
    else:
        yield printable(f"Who has a key of {service.key_file} may ask.")


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"no folder at {path}. Correct the path")
    return path


def _port(text: str) -> int:
    return whole(text, 0, _LAST_PORT)


def _addresses(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(word)) for word in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be addresses with commas between, such as 10.0.0.7. {error}"
        ) from error
