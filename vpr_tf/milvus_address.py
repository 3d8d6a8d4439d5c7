"""Which Milvus cluster this process may speak to: the one that the user named.

An index, a run or an export may come from others and names a cluster too. Nothing
connects because of that: a connection tells whoever runs the cluster who opens the
folder, and hands over the user's token.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

URI_VARIABLE = "MILVUS_URI"
TOKEN_VARIABLE = "MILVUS_TOKEN"
_SCHEMES = ("http", "https", "tcp")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/%\[\]-]+")  # messages say it to be copied


class MilvusAddressError(ValueError):
    """An address that is none, or that the user did not name."""


def check_address(uri: str, name: str = "uri") -> None:
    """Checks that text is the address of a cluster, and holds no secret.

    Args:
        uri: The text.
        name: Where it stands, for the message.

    Raises:
        MilvusAddressError: It does not.
    """
    if "@" in uri:
        raise MilvusAddressError(
            f"`{name}` must not hold a user or password: it is written to disk. Put "
            f"the token into the environment variable {TOKEN_VARIABLE}."
        )
    try:
        parts = urlsplit(uri)
        is_address = parts.scheme in _SCHEMES and bool(parts.hostname)
        is_address &= parts.port is None or parts.port > 0
    except ValueError:
        is_address = False
    if not is_address or not _PLAIN.fullmatch(uri):
        raise MilvusAddressError(
            f"`{name}` must be the address of a Milvus cluster such as "
            f"http://host:19530, or null for embedded Milvus. Received: {uri!a}"
        )


def given_address(stored: str) -> str:
    """Returns the address that the user gave, instead of one that was stored.

    Args:
        stored: Of the settings of an index, or of a config.

    Raises:
        MilvusAddressError: The user gave none.
    """
    given = os.environ.get(URI_VARIABLE, "")
    if not given:
        raise MilvusAddressError(
            f"This search uses Milvus at {stored}, an address that was stored and not "
            "given by you; nothing was sent there. If you trust it, pass "
            f"--milvus-uri {stored}, or set the environment variable {URI_VARIABLE} "
            "to it, or to where the cluster is now."
        )
    check_address(given, URI_VARIABLE)
    return given


def give_address(uri: str) -> None:
    """Takes an address as given by the user, here and in processes started from here.

    Raises:
        MilvusAddressError: See `check_address`.
    """
    check_address(uri)
    os.environ[URI_VARIABLE] = uri


@contextlib.contextmanager
def addresses_given_within() -> Iterator[None]:
    """Forgets, at the end, the addresses that were given meanwhile."""
    before = os.environ.get(URI_VARIABLE)
    try:
        yield
    finally:
        os.environ.pop(URI_VARIABLE, None)
        if before is not None:
            os.environ[URI_VARIABLE] = before


def without_token(message: str) -> str:
    """Returns a message of Milvus, without the token."""
    token = os.environ.get(TOKEN_VARIABLE)
    return message.replace(token, "***") if token else message
