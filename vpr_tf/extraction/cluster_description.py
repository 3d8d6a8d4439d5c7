"""Descriptors that the machines of a cluster compute, each with a copy of the encoder.

A worker gets the encoder itself, not where it lies, and shows that it computes the same
before it describes anything. It gets a unit of images by their files or records and
returns descriptors; this process alone writes them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vpr_tf.atomic_files import scratch_folder
from vpr_tf.cluster import ClusterError
from vpr_tf.config import Preprocessing
from vpr_tf.data.image_sources import BatchReader, ImageSource
from vpr_tf.engine_choice import using_engine
from vpr_tf.extraction.describe_images import (
    DescriptorStore,
    describe_unit,
    description_bar,
    missing_units,
)
from vpr_tf.extraction.engines import Forward, num_threads
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.extraction.saved_encoder import (
    SavedEncoder,
    read_stored_encoder,
    store_encoder,
)
from vpr_tf.trusted_models import models_are_trusted, trusting_models

if TYPE_CHECKING:
    from vpr_tf.cluster import RayCluster, WorkerSetup


class Extractor(Protocol):
    """What is needed here of a `FeatureExtractor`, which stands on this module."""

    encoder: Any
    preprocessing: Preprocessing
    engine: str
    batch_size: int

    @property
    def descriptor_dim(self) -> int:
        """Length of a descriptor."""

    def identity(self) -> dict[str, Any]:
        """All but the image that determines its descriptor."""

    def forward(self) -> Forward:
        """The compiled encoder."""

    def batches(self, source: ImageSource) -> BatchReader:
        """What reads images for the encoder."""


# Files of an encoder by their paths in its folder; "" for one that is a file.
_Files = dict[str, bytes]


@dataclass(frozen=True)
class SentExtractor:
    """All of a `FeatureExtractor` but its encoder.

    Attributes:
        preprocessing: See `FeatureExtractor`.
        engine: Likewise.
        encoder_url: Address of a served encoder.
        batch_size: See `FeatureExtractor`.
        identity: What the worker's must be.
        is_trusted: Whether its model may hold any operations.
    """

    preprocessing: Preprocessing
    engine: str
    encoder_url: str | None
    batch_size: int
    identity: dict[str, Any]
    is_trusted: bool


def setup_of(extractor: Extractor, encoder_url: str | None) -> WorkerSetup:
    """Returns what makes a worker describe as an extractor does.

    Args:
        extractor: The extractor.
        encoder_url: Address of a served encoder, if it has one.

    Raises:
        EncoderError: Its encoder cannot be sent.
    """
    import ray

    from vpr_tf.cluster import WorkerSetup

    sent = SentExtractor(
        extractor.preprocessing,
        extractor.engine,
        encoder_url,
        extractor.batch_size,
        extractor.identity(),
        models_are_trusted(),
    )
    files = ray.put(_packed(extractor.encoder))
    return WorkerSetup(
        received_extractor, (type(extractor), sent, files), is_large=True
    )


def describe_on_cluster(
    cluster: RayCluster,
    setup: WorkerSetup,
    batches: BatchReader,
    store: DescriptorStore,
    *,
    skip_damaged: bool,
    progress: bool,
) -> dict[int, str]:
    """Computes the descriptors that a store misses; see `describe_images`.

    Args:
        cluster: Whose machines compute.
        setup: Of the extractor.
        batches: The images.
        store: Where the descriptors go.
        skip_damaged: See `describe_images`.
        progress: Likewise.

    Raises:
        ClusterError: A machine does not see the images, or computes otherwise.
        ValueError: See `describe_images`.
    """
    source = batches.source
    skipped: dict[int, str] = {}
    units = [unit.rows for unit in missing_units(batches, store)]

    def tasks() -> Iterator[tuple[Any, ...]]:
        for rows in units:
            yield (*source.part(rows), skip_damaged)

    described = cluster.workers(setup).map_in_order(
        describe_part, tasks(), source.first_files
    )
    with description_bar(batches, store, progress) as bar:
        try:
            for rows, part in zip(units, described, strict=True):
                store.write(rows[part.done], part.descriptors)
                skipped |= {int(rows[place]): why for place, why in part.skipped}
                bar.update(len(rows))
        finally:
            store.commit()
    return skipped


@dataclass(frozen=True, eq=False)
class DescribedPart:
    """What a worker returns of a unit.

    Attributes:
        done: Places in the unit of the images that were described.
        descriptors: Float32, of these.
        skipped: Places of the others, and why.
    """

    done: np.ndarray
    descriptors: np.ndarray
    skipped: list[tuple[int, str]]


def describe_part(
    extractor: Extractor,
    source: ImageSource,
    rows: np.ndarray,
    skip_damaged: bool,
) -> DescribedPart:
    """Describes a unit; runs on a machine of the cluster.

    Args:
        extractor: Of `received_extractor`.
        source: Of `ImageSource.part`.
        rows: Likewise.
        skip_damaged: See `describe_images`.
    """
    store, skipped = describe_unit(
        extractor.forward(),
        extractor.descriptor_dim,
        extractor.batches(source),
        rows,
        skip_damaged=skip_damaged,
    )
    done = np.flatnonzero(store.done)
    places = [(int(np.searchsorted(rows, row)), why) for row, why in skipped.items()]
    return DescribedPart(done, store.descriptors[done], places)


def received_extractor(
    kind: Callable[..., Extractor], sent: SentExtractor, files: _Files
) -> Extractor:
    """Makes the extractor; runs on a machine of the cluster.

    Args:
        kind: The class `FeatureExtractor`.
        sent: What it is made of, but for its encoder.
        files: The encoder.

    Raises:
        ClusterError: It would describe otherwise there.
    """
    _use_threads()
    engine = using_engine(sent.engine, None)
    if sent.encoder_url is not None:
        engine = using_engine(encoder_url=sent.encoder_url)
    with (
        scratch_folder("received_encoder") as folder,
        trusting_models(sent.is_trusted),
        engine,
    ):
        extractor = kind(
            read_stored_encoder(_unpacked(files, folder)),
            sent.preprocessing,
            batch_size=sent.batch_size,
        )
        extractor.forward()
    if extractor.identity() != sent.identity:
        changed = [
            f"{name} {extractor.identity().get(name)!r}, not {value!r}"
            for name, value in sent.identity.items()
            if extractor.identity().get(name) != value
        ]
        raise ClusterError(
            f"{socket.gethostname()} would describe otherwise: {'; '.join(changed)}. "
            "Take machines that are alike, or another --engine or precision."
        )
    return extractor


def _use_threads() -> None:
    """Takes the processors that the cluster gives this worker, no more."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(num_threads())


def _packed(encoder: Any) -> _Files:
    with scratch_folder("sent_encoder") as folder:
        try:
            stored = store_encoder(encoder, folder / "encoder.keras")
        except EncoderError as error:
            if isinstance(encoder, SavedEncoder | ExportedEncoder):
                raise
            raise EncoderError(
                "Only a GeoLocalizationNet or an export can be sent to the machines of "
                f"a cluster. {error}"
            ) from error
        if not stored.is_dir():
            return {"": stored.read_bytes()}
        files = sorted(path for path in stored.rglob("*") if path.is_file())
        return {str(file.relative_to(stored)): file.read_bytes() for file in files}


def _unpacked(files: _Files, folder: Path) -> Path:
    if "" in files:
        path = folder / "encoder.keras"
        path.write_bytes(files[""])
        return path
    for name, content in files.items():
        path = folder / "encoder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "encoder"
