"""Weights that Keras keeps in HDF5, of which the file may be anybody's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf

from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError
from vpr_tf.models.weights_files import HDF5, check_weights_file

# The largest backbone is built whole, even where a part of it is kept.
_LARGEST_BACKBONE_BYTES = 2 << 30


def load_hdf5(model: keras.Model, path: Path, shown: Path | None = None) -> None:
    """Sets the weights of a model to those of a file that holds nothing but arrays.

    Args:
        model: It has the layers of the one that was saved.
        path: Its name ends in `.weights.h5`.
        shown: The file that the user knows, for messages; None for `path`.

    Raises:
        CheckpointError: The file is damaged, of another model, or leads to others.
    """
    shown = path if shown is None else shown
    array_shapes(path, shown)
    try:
        model.load_weights(path)
    except MemoryError:
        raise
    except Exception as error:  # whatever damaged structures lead Keras to
        raise CheckpointError(
            f"{shown} does not hold the weights of its encoder: "
            f"{first_line(error)}. Copy or convert it again."
        ) from error


def array_shapes(path: Path, shown: Path | None = None) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every array of an HDF5 file, by name.

    HDF5 has links to other files, arrays whose values lie in other files, and arrays
    that take memory and are not stored. Keras writes none of these.

    Args:
        path: The file.
        shown: See `load_hdf5`.

    Raises:
        CheckpointError: It is damaged, or holds what is no stored array of numbers.
    """
    shown = path if shown is None else shown
    shapes: dict[str, tuple[int, ...]] = {}
    unusual: dict[str, str] = {}

    def look(name: str, link: object) -> None:
        if not isinstance(link, h5py.HardLink):
            unusual[name] = type(link).__name__
            return
        item = file[name]
        if isinstance(item, h5py.Dataset):
            shapes[name] = item.shape
            reason = _unusual_array(item)
            if reason:
                unusual[name] = reason

    try:
        check_weights_file(path, HDF5)
        with h5py.File(path) as file:
            file.visititems_links(look)
    except (CheckpointError, MemoryError):
        raise
    except Exception as error:  # whatever damaged structures lead HDF5 to
        raise CheckpointError(
            f"{shown} is not a readable HDF5 file: {first_line(error)}. Copy or "
            "convert it again."
        ) from error
    if unusual:
        name, reason = next(iter(unusual.items()))
        raise CheckpointError(
            f"{shown} must hold arrays of numbers and nothing else, all of them in the "
            f"file itself. Received: {name[:80]!a}, {reason}. Use a file that "
            "this program or Keras wrote."
        )
    return shapes


@contextlib.contextmanager
def at_most_as_large_as(path: Path) -> Iterator[None]:
    """Builds no encoder whose weights the file cannot hold: it would fill the memory.

    Args:
        path: With the weights; they are not compressed.

    Raises:
        CheckpointError: A variable would be too large.
    """
    left = path.stat().st_size + _LARGEST_BACKBONE_BYTES
    scratch = tf.Graph()  # where a shape is known, and no value is made

    def count(create: Any, **keywords: Any) -> Any:
        nonlocal left
        value = keywords["initial_value"]
        if callable(value):
            with scratch.as_default():
                value = value()
        left -= value.shape.num_elements() * value.dtype.size
        if left < 0:
            raise CheckpointError(
                f"{path} must hold all weights of the encoder that it describes. "
                f"Received: a weight of the shape {tuple(value.shape)} for a file of "
                f"{path.stat().st_size:,} bytes. Copy or convert it again."
            )
        return create(**keywords)

    with tf.variable_creator_scope(count):
        yield


def _unusual_array(array: h5py.Dataset) -> str:
    """Returns what a saved weight is not, for people; empty for a plain array."""
    if array.shape is None or array.dtype.kind not in "fiubV" or array.dtype.fields:
        return f"an array of {array.dtype}"
    if array.external or array.is_virtual:
        return "an array that lies in other files"
    if array.id.get_storage_size() < array.nbytes:
        return f"an array of {array.nbytes:,} bytes that are not stored"
    return ""


def first_line(error: Exception) -> str:
    """Returns what a library says of damage, for a message of one line."""
    lines = str(error).strip().splitlines()
    return lines[0][:300].rstrip(".") if lines else type(error).__name__
