"""How a service is reached and run, and the socket that it listens on."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

from vpr_tf.serving.settings import ServiceError

_REASONS = {
    errno.EADDRINUSE: "it is taken. Stop what listens there, or pass another --port",
    errno.EACCES: "this user may not listen there. Pass a --port above 1023",
    errno.EADDRNOTAVAIL: "this machine has no such address. Correct --host",
}


@dataclass(frozen=True)
class ProcessSettings:
    """How a service is reached and run.

    Attributes:
        host: Address or name to listen on.
        port: Port to listen on; 0 for a free one.
        workers: Processes that share the port; each opens the indexes.
        drain_s: How long accepted requests may take when the service ends.
        proxies: Addresses whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        logs_clients: Whether the log of requests has the addresses of clients.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    drain_s: float = 30.0
    proxies: tuple[str, ...] = ()
    logs_clients: bool = False


def bind_socket(host: str, port: int, *, has_keys: bool) -> socket.socket:
    """Takes the address that a service listens on; it does not listen yet.

    Args:
        host: Address or name.
        port: 0 for a free one.
        has_keys: Whether requests need a key. Without, only this machine may ask.

    Raises:
        ServiceError: The address is not of this machine, is taken, or can be reached
            from others though there are no keys.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ServiceError(
            "`--host` must be an address of this machine, such as 127.0.0.1. "
            f"Received: {host[:80]!a} ({error})"
        ) from error
    if not has_keys and not ipaddress.ip_address(str(address[0])).is_loopback:
        raise ServiceError(
            f"Other machines reach {host}, and without keys everyone there could ask. "
            "Pass --keys FILE (`vpr keys` makes one), or leave out --host."
        )
    # Without its protocol asyncio would not send answers at once, but 40 ms later.
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        reason = _REASONS.get(error.errno or 0, str(error))
        raise ServiceError(
            f"Cannot listen on {host}, port {port}: {reason}."
        ) from error
    return bound


def url_of(bound: socket.socket) -> str:
    """Returns the address of a bound socket as one for browsers."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
