"""From photos on disk to descriptors that fit an index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpr_tf.config import EvaluationConfig, ExperimentConfig
from vpr_tf.extraction.encoders import Encoder, encoder_fingerprint
from vpr_tf.extraction.model_sources import load_encoder
from vpr_tf.extraction.photo_descriptors import DescribedPhotos, describe_photos
from vpr_tf.extraction.stored_encoder import read_stored_encoder
from vpr_tf.photos import PhotoFiles
from vpr_tf.place_index.manifest import EncoderIdentity, check_file, read_manifest
from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_files import StoredFile

__all__ = [
    "DescribedPhotos",
    "IndexEncoder",
    "identity_of",
    "open_encoder",
    "open_kept_encoder",
]


@dataclass(frozen=True)
class IndexEncoder:
    """The encoder of an index, and how it wants its photos.

    Attributes:
        encoder: The encoder.
        evaluation: The preparation of photos that the index was built with.
        fingerprint: Identity of the encoder.
    """

    encoder: Encoder
    evaluation: EvaluationConfig
    fingerprint: str

    def describe(
        self, photos: PhotoFiles, folder: Path | None = None, *, progress: bool = True
    ) -> DescribedPhotos:
        """Computes descriptors of photos that fit the index; see `describe_photos`."""
        return describe_photos(
            self.encoder,
            photos,
            self.evaluation,
            encoder_fingerprint=self.fingerprint,
            folder=folder,
            progress=progress,
        )


def open_encoder(
    index_folder: str | Path, model: str | Path | None = None
) -> IndexEncoder:
    """Loads the encoder that an index was built with.

    Args:
        index_folder: The index.
        model: Where the encoder is, see `load_encoder`; None for the copy that the
            index keeps.

    Raises:
        IndexMismatchError: No index, no encoder or a damaged one in it, or `model` is
            another encoder.
        EncoderError: The model cannot be loaded.
    """
    folder = Path(index_folder)
    manifest = read_manifest(folder)
    identity = manifest.encoder
    if identity is None:
        raise IndexMismatchError(
            f"The index {folder} was made of descriptors alone, so the encoder of its "
            "photos is not known. Search it with descriptors."
        )
    if model is None:
        if identity.file is None:
            raise IndexMismatchError(
                f"The index {folder} keeps no encoder. Pass --model MODEL: "
                f"{identity.description}."
            )
        return open_kept_encoder(folder, identity, manifest.encoder_files)
    config = ExperimentConfig(name=folder.name, evaluation=_preparation(identity))
    loaded = load_encoder(config, model)
    fingerprint = encoder_fingerprint(loaded.encoder)
    if fingerprint != identity.fingerprint:
        raise IndexMismatchError(
            f"The index {folder} was built with another encoder: "
            f"{identity.description}, fingerprint {identity.fingerprint[:16]}. "
            f"Received: {loaded.description}, fingerprint {fingerprint[:16]}. "
            "Leave out --model to use the encoder of the index, or build it again."
        )
    return IndexEncoder(loaded.encoder, loaded.evaluation, fingerprint)


def identity_of(
    encoder: Encoder, evaluation: EvaluationConfig, description: str
) -> EncoderIdentity:
    """Returns what an index notes about its encoder."""
    return EncoderIdentity(
        fingerprint=encoder_fingerprint(encoder),
        description=description,
        descriptor_dim=encoder.descriptor_dim,
        resize=evaluation.resize,
        image_size=evaluation.image_size,
        precision=evaluation.precision,
    )


def open_kept_encoder(
    folder: Path, identity: EncoderIdentity, files: dict[str, StoredFile]
) -> IndexEncoder:
    """Loads an encoder that an index keeps, after comparing its checksums.

    Args:
        folder: The index.
        identity: The encoder, whose file is relative to the index.
        files: Its files.

    Raises:
        IndexMismatchError: A file is missing or damaged.
    """
    for name, file in files.items():
        check_file(folder / name, file)
    encoder = read_stored_encoder(folder / str(identity.file))
    return IndexEncoder(encoder, _preparation(identity), identity.fingerprint)


def _preparation(identity: EncoderIdentity) -> EvaluationConfig:
    return EvaluationConfig(
        resize=identity.resize,
        image_size=identity.image_size,
        precision=identity.precision,
    )
