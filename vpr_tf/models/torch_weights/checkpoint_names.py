"""The names that a checkpoint's pickle may use, and the data they stand for.

No name is ever looked up, imported or called: each stands for a function of this
module that turns its arguments into plain data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.models.torch_weights.checkpoint_tensors import (
    STORAGE_DTYPES,
    CheckpointError,
    Tensor,
    short,
)

_SCALAR_DTYPES = frozenset(
    ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
)
_LONGEST_SCALAR_BYTES = 8


@dataclass(frozen=True)
class Name:
    """A name in the pickle and what calling it gives."""

    name: str
    make: Callable[..., Any]


class Ignored:
    """Stands for an object that nothing here reads, e.g. a device."""


class ScalarDtype:
    """A NumPy dtype of a single number; its byte order comes in a BUILD."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.byte_order = "<"


def answer_name(module: str, name: str) -> Any:
    """Returns what stands for `module.name`.

    Raises:
        CheckpointError: The name has no place among weights and plain data.
    """
    if module == "torch" and name in STORAGE_DTYPES:
        return STORAGE_DTYPES[name]
    make = _MAKERS.get((module, name))
    if make is None:
        raise CheckpointError(
            f"The file names `{short(module)}.{short(name)}`, which is no part of "
            "weights and plain data. Nothing of it was run. Do not trust this file; "
            "if it is your own, save its state dict alone: "
            "torch.save(model.state_dict(), file)."
        )
    return Name(name, make)


def build(target: Any, state: Any) -> None:
    """Carries out BUILD, which sets the attributes of an object.

    Raises:
        CheckpointError: The object is none that torch would write so.
    """
    if isinstance(target, ScalarDtype):
        if (
            not isinstance(state, tuple)
            or len(state) < 2
            or state[1] not in tuple("<>|=")
        ):
            raise CheckpointError("It has a malformed dtype.")
        target.byte_order = state[1]
    elif not isinstance(target, (dict, Ignored)):  # attributes of those are not read
        raise CheckpointError("It sets the attributes of an object that has none.")


def _ordered_dict(pairs: Any = None) -> dict[Any, Any]:
    """Takes the pairs out of their list, so that none is copied twice."""
    made: dict[Any, Any] = {}
    if pairs is None:
        return made
    if not isinstance(pairs, list):
        raise CheckpointError("It has a dictionary of what is no list of pairs.")
    for key, value in pairs:
        check_key(key)
        made[key] = value
    pairs.clear()
    return made


def check_key(key: Any) -> None:
    """Checks a key of a dictionary; others could take for ever to hash.

    Raises:
        CheckpointError: It is neither a string nor a small number.
    """
    if not (isinstance(key, str) or (isinstance(key, int) and abs(key) < 2**31)):
        raise CheckpointError(
            f"Keys must be strings or whole numbers. Received: {type(key).__name__}"
        )


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    return Tensor(storage, offset, shape, strides)


def _first(data: Any, *_: Any) -> Any:
    return data


def _ignored(*_: Any) -> Ignored:
    return Ignored()


def _bytes(text: Any, encoding: Any) -> bytes:
    """Protocol 2 writes bytes as the encoding of a text."""
    if (
        not isinstance(text, str)
        or len(text) > _LONGEST_SCALAR_BYTES
        or encoding not in ("latin1", "latin-1")
    ):
        raise CheckpointError("It has bytes that are no number.")
    return text.encode("latin1")


def _scalar_dtype(code: Any, *_: Any) -> ScalarDtype:
    if not isinstance(code, str) or code not in _SCALAR_DTYPES:
        raise CheckpointError("It has a NumPy value that is no number.")
    return ScalarDtype(code)


def _scalar(dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, ScalarDtype) or not isinstance(data, bytes):
        raise CheckpointError("It has a malformed NumPy number.")
    order = dtype.byte_order if dtype.byte_order in "<>" else "<"
    values = np.frombuffer(data, order + dtype.code)
    if values.size != 1:
        raise CheckpointError("It has a malformed NumPy number.")
    return values[0].item()


_MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch", "Size"): _first,
    ("torch", "device"): _ignored,
    ("argparse", "Namespace"): _ignored,
    ("numpy", "dtype"): _scalar_dtype,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _bytes,
    # The hyper-parameters of Lightning are a dictionary.
    ("pytorch_lightning.utilities.parsing", "AttributeDict"): _ordered_dict,
    ("lightning.pytorch.utilities.parsing", "AttributeDict"): _ordered_dict,
    ("lightning_fabric.utilities.data", "AttributeDict"): _ordered_dict,
    ("lightning.fabric.utilities.data", "AttributeDict"): _ordered_dict,
}
