"""Files that are there in whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpr_tf.disk_errors import with_path


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that takes its place at the end.

    The temporary name keeps all suffixes, since Keras looks at them.
    """
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        with with_path(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON at once."""
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")
