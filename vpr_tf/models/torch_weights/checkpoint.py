"""Reads checkpoints of any known format and kind, recognised by their content."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vpr_tf.models.torch_weights.checkpoint_tensors import (
    CheckpointError,
    Tensor,
    read_tensor,
    short,
)
from vpr_tf.models.torch_weights.layouts import without_parallel_prefix
from vpr_tf.models.torch_weights.legacy_pth_reader import read_legacy_content
from vpr_tf.models.torch_weights.safetensors_reader import read_safetensors
from vpr_tf.models.torch_weights.zip_pth_reader import read_zip_content

_ZIP_START = b"PK\x03\x04"
_SAFETENSORS_START = 8  # bytes before the "{" of its header
# CosPlace's and Divide&Classify's training checkpoints, Lightning's.
_ENCODER_KEYS = ("model_state_dict", "state_dict")
_HEADS_KEY = "classifiers_state_dict"
_DAMAGES = (
    zipfile.BadZipFile,
    NotImplementedError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds of a model.

    Attributes:
        state_dict: The encoder's arrays by name, in the order of the file.
        heads: The class centres of each group's head,
            `(num_classes, descriptor_dim)`; empty unless it is a training checkpoint.
    """

    state_dict: dict[str, np.ndarray]
    heads: list[np.ndarray] = field(default_factory=list)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a safetensors file or a `.pth` of torch, and nothing of it runs.

    A `.pth` may have either of torch's formats (zip or legacy) and be a bare state
    dict, a training checkpoint of CosPlace or Divide&Classify (`model_state_dict`,
    `classifiers_state_dict`) or one of Lightning (`state_dict`). A `module.` before
    every name is dropped. The suffix of the file does not matter.

    Args:
        path: The file.

    Returns:
        Arrays with the dtypes of the file; bfloat16 becomes float32. They are
        read-only.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is of no such kind, damaged, or names anything
            but weights and plain data.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No checkpoint at {path}. Correct the path.")
    with path.open("rb") as file:
        start = file.read(_SAFETENSORS_START + 1)
        file.seek(0)
        if start[_SAFETENSORS_START:] == b"{":
            return Checkpoint(without_parallel_prefix(read_safetensors(path)))
        try:
            return _read_pth(file, path.stat().st_size, start.startswith(_ZIP_START))
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except _DAMAGES as error:
            raise CheckpointError(
                f"{path} is not a readable checkpoint (.pth of torch or safetensors): "
                f"{str(error) or type(error).__name__}"
            ) from error


def _read_pth(file: BinaryIO, file_size: int, is_zip: bool) -> Checkpoint:
    read_content = read_zip_content if is_zip else read_legacy_content
    content = read_content(file, file_size)
    if not isinstance(content, dict):
        raise CheckpointError(
            f"It must hold a state dict. Received: {type(content).__name__}"
        )
    encoder = next((content[key] for key in _ENCODER_KEYS if key in content), content)
    heads = content.get(_HEADS_KEY, []) if encoder is not content else []
    return Checkpoint(
        without_parallel_prefix(_read_state_dict(encoder, file)),
        _read_heads(heads, file),
    )


def _read_state_dict(state_dict: Any, file: BinaryIO) -> dict[str, np.ndarray]:
    if not isinstance(state_dict, dict) or not state_dict:
        raise CheckpointError("Its state dict is empty or none.")
    others = [
        str(name)
        for name, value in state_dict.items()
        if not (isinstance(name, str) and isinstance(value, Tensor))
    ]
    if others:
        raise CheckpointError(
            "It must hold a flat state dict, {name: tensor}, by itself or as "
            f"{' or '.join(_ENCODER_KEYS)}. No tensors by name are: "
            f"{', '.join(short(name) for name in others[:5])}. Save the encoder's "
            "state dict alone: torch.save(model.state_dict(), file)."
        )
    return {
        name: read_tensor(name, tensor, file) for name, tensor in state_dict.items()
    }


def _read_heads(heads: Any, file: BinaryIO) -> list[np.ndarray]:
    if not isinstance(heads, (list, tuple)):
        raise CheckpointError(f"`{_HEADS_KEY}` must be a list of state dicts.")
    centres = []
    for number, head in enumerate(heads):
        arrays = without_parallel_prefix(_read_state_dict(head, file))
        if list(arrays) != ["weight"] or arrays["weight"].ndim != 2:
            raise CheckpointError(
                f"Head {number} must hold one matrix, `weight`. Received: "
                f"{', '.join(f'{short(k)} {v.shape}' for k, v in arrays.items())}"
            )
        centres.append(arrays["weight"])
    return centres
