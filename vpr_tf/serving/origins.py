"""Which names a service answers to, and which pages may ask it.

Reference:
    Fetch Metadata Request Headers, W3C; RFC 6454, "The Web Origin Concept".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from vpr_tf.serving.settings import ServiceError

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<name>[a-zA-Z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS = ("80", "443")


def allowed_hosts(names: Iterable[str]) -> frozenset[str]:
    """Returns the names that a service answers to, besides its address.

    Args:
        names: Further ones, without a port.

    Raises:
        ServiceError: One is no name of a host.
    """
    further = []
    for name in names:
        host = _HOST.fullmatch(f"[{name}]" if name.count(":") > 1 else name)
        if host is None or host["port"]:
            raise ServiceError(
                "A host must be a name or an address without a port, such as "
                f"photos.example.org. Received: {name!r}"
            )
        further.append(_canonical(name))
    return frozenset([*_LOCAL_HOSTS, *further])


def host_problem(scope: Scope, headers: Headers, hosts: frozenset[str]) -> str:
    """Returns why a request's Host is refused; empty if it is not.

    Allowed are the given names, and the address that the request was sent to: a page
    that had its own name point here cannot make a browser send another.
    """
    received = headers.getlist("host")
    found = _split(received[0]) if len(received) == 1 else None
    if found is None:
        return "A request must have one Host header, a name or an address."
    server = scope.get("server")
    own = {_canonical(server[0])} if server and server[1] else set()
    if found[0] in hosts | own:
        return ""
    return (
        "This service does not answer to the name in Host. Whoever runs it can allow "
        "that name by `--host-name`."
    )


def is_of_other_site(scope: Scope, headers: Headers) -> bool:
    """Whether a page of another site caused a request; a link followed is none."""
    origins = headers.getlist("origin")
    if origins:
        own = _split(headers["host"])
        return len(origins) > 1 or _origin_host(origins[0]) != own
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    follows_link = (
        scope["method"] in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
    return not follows_link


def _origin_host(origin: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return _split(parts.netloc) if parts.scheme in ("http", "https") else None


def _split(host: str) -> tuple[str, str] | None:
    """Returns name and port of a host, the port empty where it is the usual one."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    port = found["port"] or ""
    name = _canonical(found["v6"] or found["name"])
    return name, "" if port in _DEFAULT_PORTS else port


def _canonical(name: str) -> str:
    try:
        address = ipaddress.ip_address(name)
        # A socket of IPv6 names those of IPv4 so.
        return str(getattr(address, "ipv4_mapped", None) or address)
    except ValueError:
        return name.lower().rstrip(".")
