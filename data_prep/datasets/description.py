"""What is known of a public dataset; what is not known is said to be so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

UNKNOWN_LICENCE = "unknown, ask the authors"
NO_ADDRESS = "no public address is known to this program"
NO_CHECKSUMS = "none published that this program knows"


@dataclass(frozen=True)
class DatasetDescription:
    """A public dataset, as its users need it.

    Attributes:
        name: In commands and file names.
        title: For people.
        layout: What lies in the source folder, as the authors hand it out.
        access: How to get it.
        counts: Photos of each split that the adapter can list, by the name of the
            split; None where no number is stated.
        licence: Of the photos.
        protocols: How recall is measured on it.
        citation: The paper.
        notes: What else a user should know.
    """

    name: str
    title: str
    layout: str
    access: str
    counts: Mapping[str, int | None]
    licence: str = UNKNOWN_LICENCE
    protocols: tuple[str, ...] = ()
    citation: str = "not stated"
    notes: tuple[str, ...] = field(default=())

    def facts(self) -> list[tuple[str, str]]:
        """Returns names and values for people; a name may have several lines."""
        counts = [
            f"{split}: {'not stated' if count is None else f'{count:,}'}"
            for split, count in self.counts.items()
        ]
        rows = [
            ("Name", [self.name]),
            ("Dataset", [self.title]),
            ("Source folder", self.layout.splitlines()),
            ("How to get it", self.access.splitlines()),
            ("Licence", [self.licence]),
            ("Photos", counts or ["not stated"]),
            ("Checksums", [NO_CHECKSUMS]),
            ("Protocols", list(self.protocols) or ["not stated"]),
            ("Citation", [self.citation]),
            ("Notes", list(self.notes)),
        ]
        return [
            (name if number == 0 else "", line)
            for name, lines in rows
            for number, line in enumerate(lines)
        ]
