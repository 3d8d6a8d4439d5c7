"""ScaNN without TensorFlow."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

CONFIG_FILE = "scann_config.pb"


class ScannLibrary(NamedTuple):
    """Modules of ScaNN.

    Attributes:
        ops: `scann.scann_ops_pybind`.
        config_pb2: The format of a searcher's settings.
        centers_pb2: The format of the codes' centres.
        partitioner_pb2: The format of the leaves' centres.
    """

    ops: ModuleType
    config_pb2: ModuleType
    centers_pb2: ModuleType
    partitioner_pb2: ModuleType

    def open_searcher(self, folder: Path, assets: str) -> Any:
        """Makes a searcher of files; trains what is not among them.

        Args:
            folder: Where the settings are, and what `assets` names relatively.
            assets: Text of a ScannAssets message: which files there are.
        """
        # Not the public `load_searcher`: it opens a pickle that lies in the folder, and
        # finds the assets of the folder only, not descriptors that lie elsewhere.
        return self.ops.ScannSearcher(
            self.ops.scann_pybind.ScannNumpy(str(folder), assets)
        )


@functools.cache
def scann_library() -> ScannLibrary:
    """Imports ScaNN.

    Raises:
        ImportError: ScaNN is not installed, or not for this machine.
    """
    try:
        if "tensorflow" in sys.modules or not importlib.util.find_spec("tensorflow"):
            return _import()
        return _import_without_tensorflow()
    except ImportError as error:
        raise ImportError(
            f"ScaNN cannot be imported ({error}). Install it by `pip install "
            "'vpr_tf[scann]'` (Linux, x86 with AVX or ARM), or use another kind of "
            "index, e.g. exact."
        ) from error


def _import() -> ScannLibrary:
    from scann import scann_ops_pybind
    from scann.partitioning import partitioner_pb2
    from scann.proto import centers_pb2, scann_pb2

    return ScannLibrary(scann_ops_pybind, scann_pb2, centers_pb2, partitioner_pb2)


def _import_without_tensorflow() -> ScannLibrary:
    # Where there is TensorFlow, ScaNN imports it for operations that are not used
    # here: 12 s and 680 MiB. Where there is none, it does without; no public option
    # asks it to. So for this moment there is none; a later `from scann import
    # scann_ops` starts anew and finds it.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        return _import()
    finally:
        del sys.modules["tensorflow"]
        for name in [name for name in sys.modules if name.split(".")[0] == "scann"]:
            del sys.modules[name]
