"""Packages that only some tasks need, installed by the extras of vpr_tf."""

from __future__ import annotations

import importlib
from typing import Any


def import_extra(module: str, extra: str) -> Any:
    """Imports a module of an optional package.

    Args:
        module: Its full name, e.g. `openvino`.
        extra: The extra of vpr_tf that installs it, e.g. `openvino`.

    Raises:
        ImportError: It is not installed, or not for this machine.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module.partition('.')[0]} cannot be imported ({error}). Install it by "
            f"`pip install 'vpr_tf[{extra}]'`."
        ) from error
