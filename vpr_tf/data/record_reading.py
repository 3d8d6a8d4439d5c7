"""Random access to the records of a split inside the tf.data graph.

An error inside a graph says what is wrong but not with which image. The pipelines are
deterministic, so the records about to be read are known: they are read again one by
one, and the first that fails is named.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.data.image_decoding import decode_image
from vpr_tf.data.image_sources import DamagedImage
from vpr_tf.data.prepared_dataset import DatasetError, SplitIndex
from vpr_tf.data.records import FRAME_BYTES, EncodedImage, parse_record

_GRAPH_NAMES = re.compile(r"\{\{.*?\}\}|\[Op:.*")
_NUM_HASHES = 2**63 - 1
_KEYS_AT_ONCE = 1 << 16
_OTHER_PHOTO = "it holds another photo than the record index says"


class RecordReader:
    """Reads records by their place in a list of record ids.

    Only the places of the listed records are held in memory.

    Args:
        split: The record index.
        record_ids: Records to read, positions in the index, shape `(num_rows,)`.

    Raises:
        ValueError: A record id is not in the split.
    """

    def __init__(self, split: SplitIndex, record_ids: np.ndarray) -> None:
        record_ids = checked_record_ids(split, record_ids)
        self._paths = tf.constant(split.shard_paths, tf.string)
        shards = split.column("shard")[record_ids]
        num_shards = len(split.shard_paths)
        if shards.size and not 0 <= shards.min() <= shards.max() < num_shards:
            raise DatasetError(
                f"The record index of split {split.name!r} is damaged: it names shards "
                f"beyond the {num_shards} of the dataset. Build the dataset again."
            )
        self._shards = tf.constant(shards)
        self._offsets = tf.constant(split.column("byte_offset")[record_ids])
        self._lengths = tf.constant(split.column("length")[record_ids])
        self._keys = tf.constant(_hashes_of_keys(split, record_ids))

    def __call__(self, row: tf.Tensor) -> EncodedImage:
        """Returns the image of the record at `row`, a scalar int64.

        Runs inside the function of a `tf.data.Dataset.map`.
        """
        variant = tf.raw_ops.TFRecordDatasetV2(
            filenames=[self._paths[self._shards[row]]],
            compression_type="",
            # The whole record in one read, also from remote file systems.
            buffer_size=self._lengths[row] + FRAME_BYTES,
            byte_offsets=[self._offsets[row]],
        )
        records = tf.data.experimental.from_variant(
            variant, tf.TensorSpec([], tf.string)
        )
        record = parse_record(records.take(1).get_single_element())
        # A column that was altered may lead to another photo.
        is_same = _hash_of(record["key"]) == self._keys[row]
        with tf.control_dependencies([tf.debugging.Assert(is_same, [_OTHER_PHOTO])]):
            return EncodedImage(
                *(tf.identity(record[name]) for name in EncodedImage._fields)
            )


def _hash_of(keys: Any) -> tf.Tensor:
    return tf.strings.to_hash_bucket_fast(keys, _NUM_HASHES)


def _hashes_of_keys(split: SplitIndex, record_ids: np.ndarray) -> np.ndarray:
    """Returns 8 bytes a record instead of its key, which may be long."""
    hashes = np.empty(len(record_ids), np.int64)
    for start in range(0, len(record_ids), _KEYS_AT_ONCE):
        part = slice(start, start + _KEYS_AT_ONCE)
        hashes[part] = _hash_of(split.keys[record_ids[part]])
    return hashes


def checked_record_ids(split: SplitIndex, record_ids: np.ndarray) -> np.ndarray:
    """Returns record ids as int64.

    Raises:
        ValueError: A record id is not in the split.
    """
    record_ids = np.asarray(record_ids, np.int64)
    if record_ids.size and not 0 <= record_ids.min() <= record_ids.max() < len(split):
        raise ValueError(
            f"`record_ids` must be in [0, {len(split)}), the records of split "
            f"{split.name!r}. Received values from {record_ids.min()} to "
            f"{record_ids.max()}."
        )
    return record_ids


def pipeline_options(num_threads: int) -> Any:
    """Returns options of pipelines that work image by image.

    Parallelism is over images, never inside one, in a thread pool of their own, and
    the order of elements is fixed.
    """
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = num_threads
    options.threading.max_intra_op_parallelism = 1
    return options


class DamagedRecordError(DatasetError):
    """A record that cannot be read or decoded; names shard, byte offset and key."""


@contextlib.contextmanager
def damaged_records_named(
    split: SplitIndex, record_ids: Callable[[], Iterable[int]]
) -> Iterator[None]:
    """Around the consumption of batches: turns their errors into clear ones.

    Args:
        split: Split that the batches come from.
        record_ids: Called on an error; returns the records to look at, starting with
            the next ones to be read.

    Raises:
        DamagedRecordError: One of the records is damaged.
    """
    try:
        yield
    except tf.errors.OpError:
        damaged = first_damaged_record(split, record_ids())
        if damaged is not None:
            raise damaged.error from None
        raise  # not the fault of a record


def stored_images(split: SplitIndex, record_ids: np.ndarray) -> Iterator[bytes]:
    """Yields the bytes of image files, in the order of `record_ids`.

    Raises:
        DamagedRecordError: A record is damaged.
    """
    load = RecordReader(split, record_ids)
    rows = tf.data.Dataset.range(len(record_ids))
    images = rows.map(lambda row: load(row).image, tf.data.AUTOTUNE)
    with damaged_records_named(split, lambda: record_ids.tolist()):
        yield from images.as_numpy_iterator()


def first_damaged_record(
    split: SplitIndex, record_ids: Iterable[int]
) -> DamagedImage | None:
    """Reads and decodes records one by one, up to one that is damaged.

    Returns:
        That record, with a `DamagedRecordError`.
    """
    for record_id in record_ids:
        try:
            record = RecordReader(split, np.array([record_id]))(
                tf.constant(0, tf.int64)
            )
            found = decode_image(record.image).shape[:2].as_list()
        except tf.errors.OpError as error:
            return _damaged(split, record_id, graph_error_reason(error))
        expected = [int(split.column(name)[record_id]) for name in ("height", "width")]
        if found != expected:
            return _damaged(
                split, record_id, f"the image is {found}, the index says {expected}"
            )
    return None


def _damaged(split: SplitIndex, record_id: int, reason: str) -> DamagedImage:
    shard = split.shard_paths[int(split.column("shard")[record_id])]
    offset = int(split.column("byte_offset")[record_id])
    error = DamagedRecordError(
        f"A record of split {split.name!r} is damaged: {shard}, byte offset {offset}, "
        f"key {split.keys[record_id].decode()!a}: {reason}. Remove the shard and run "
        "`vpr data build` again."
    )
    return DamagedImage(int(record_id), error)


def graph_error_reason(error: tf.errors.OpError) -> str:
    """Returns what an error of a graph says, without the names of the graph."""
    message = _GRAPH_NAMES.sub("", error.message.splitlines()[0]).strip(" .")
    if _OTHER_PHOTO in message:
        return _OTHER_PHOTO
    if message == "Dataset was empty":
        return "the shard ends before it"
    return message
