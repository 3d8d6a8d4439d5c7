"""Where an encoder is served: the addresses of TF Serving."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from vpr_tf.extraction.errors import EncoderError

_MODEL = r"(?P<name>[\w.-]+)(/versions/(?P<version>\d{1,18}))?"
_PATHS = {
    "http": re.compile(rf"/v1/models/{_MODEL}", re.ASCII),
    "grpc": re.compile(rf"/{_MODEL}", re.ASCII),
}


@dataclass(frozen=True)
class ServedAddress:
    """The address of a served encoder.

    Attributes:
        protocol: `http` (REST) or `grpc`.
        is_encrypted: Whether the server has to show a certificate.
        host: Name or number of the machine.
        port: Its port.
        name: Of the model.
        version: Of the model; None for the newest that is served.
    """

    protocol: str
    is_encrypted: bool
    host: str
    port: int
    name: str
    version: int | None = None

    @classmethod
    def parse(cls, url: str) -> ServedAddress:
        """Reads an address.

        Raises:
            EncoderError: It is none.

        Example:
            >>> ServedAddress.parse("grpc://localhost:8500/city").name
            'city'
        """
        try:
            parts = urlsplit(url)
            protocol = parts.scheme.removesuffix("s")
            found = _PATHS[protocol].fullmatch(parts.path)
            plain = not (parts.username or parts.query or parts.fragment)
            if not found or not parts.hostname or not plain:
                raise ValueError("a part is missing or too much")
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (ValueError, KeyError) as error:
            raise EncoderError(
                "The address of a served encoder must be http(s)://HOST:PORT/v1/models/"
                "NAME or grpc(s)://HOST:PORT/NAME, with /versions/N or not. Received: "
                f"{url[:200]!r}"
            ) from error
        version = found["version"]
        return cls(
            protocol,
            parts.scheme.endswith("s"),
            parts.hostname,
            port,
            found["name"],
            None if version is None else int(version),
        )

    def __str__(self) -> str:
        scheme = self.protocol + "s" * self.is_encrypted
        path = "/v1/models" if self.protocol == "http" else ""
        return f"{scheme}://{self.authority}{path}{self.model_path}"

    @property
    def authority(self) -> str:
        """Host and port, as an address has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def model_path(self) -> str:
        """Name and version, as an address has them."""
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"/{self.name}{version}"
