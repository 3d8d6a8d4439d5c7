"""Reads a safetensors file."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError

_DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL")


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Reads all tensors; bfloat16 becomes float32.

    Args:
        path: The file.

    Raises:
        CheckpointError: The file is damaged or has a dtype that NumPy lacks.
    """
    arrays = {}
    try:
        with safe_open(str(path), framework="np") as file:
            for name in file.keys():  # noqa: SIM118 (it is no mapping)
                dtype = file.get_slice(name).get_dtype()
                if dtype not in _DTYPES:
                    raise CheckpointError(
                        f"{path}: tensor {name} has the dtype {dtype}. Known: "
                        f"{', '.join(_DTYPES)}."
                    )
                array = file.get_tensor(name)
                if array.dtype == ml_dtypes.bfloat16:
                    array = array.astype(np.float32)
                arrays[name] = array
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a readable safetensors file: {error}"
        ) from error
    return arrays
