"""Work to do once a library has been imported by whoever needs it."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


def after_import(name: str, work: Callable[[], None]) -> None:
    """Calls a function now, or at the end of the import of a module.

    Args:
        name: Of the module.
        work: What to do, once.
    """
    if name in sys.modules:
        work()
    else:
        sys.meta_path.insert(0, _Finder(name, work))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds a module as the others do, and sees when it has been imported."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name, self._work = name, work

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of the module, with a loader that works afterwards."""
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._work)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads a module as another loader does, and works afterwards."""

    def __init__(self, loader: importlib.abc.Loader, work: Callable[[], None]) -> None:
        self._loader, self._work = loader, work

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See `Loader`."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """See `Loader`."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._work()
