"""Headers by which browsers keep the service and other sites apart."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from vpr_tf.serving.settings import ServiceError

_PLACES = ("{z}", "{x}", "{y}")
_HOST = re.compile(r"[a-zA-Z0-9*.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")


def security_headers(tiles: str | None) -> dict[str, str]:
    """Returns the headers of every answer that does not set its own.

    Args:
        tiles: Address of map tiles, which pages may show; None for none.

    Raises:
        ServiceError: It is no address.
    """
    pictures = ["'self'", "data:", "blob:"]
    if tiles is not None:
        pictures.append(tiles_origin(tiles))
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": " ".join(pictures),
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{k} {v}" for k, v in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",  # of browsers without frame-ancestors
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        # Answers are about photos of people, and lie in no cache.
        "Cache-Control": "no-store",
    }


def tiles_origin(tiles: str) -> str:
    """Returns the source of map tiles as a content security policy names it.

    Args:
        tiles: Address with {z}, {x}, {y} and perhaps {s}.

    Raises:
        ServiceError: It is no address, or of this service.

    Example:
        >>> from vpr_tf.serving.security_headers import tiles_origin
        >>> tiles_origin("https://{s}.tile.example.org/{z}/{x}/{y}.png")
        'https://*.tile.example.org'
    """
    missing = [part for part in _PLACES if part not in tiles]
    if missing:
        raise ServiceError(
            "The address of map tiles must have {z}, {x} and {y}, where numbers stand. "
            f"Received: {tiles!r}, without {', '.join(missing)}"
        )
    if tiles.startswith("/") and not tiles.startswith("//"):
        return "'self'"
    try:
        parts = urlsplit(tiles.replace("{s}", "*"))
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc):
        raise ServiceError(
            "The address of map tiles must look like "
            f"https://tiles.example.org/{{z}}/{{x}}/{{y}}.png. Received: {tiles!r}"
        )
    return f"{parts.scheme}://{parts.netloc}"
