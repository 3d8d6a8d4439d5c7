"""A `.keras` file: what it says of its encoder, and its weights, without building it.

Keras builds whatever classes such a file names. Here the file names one class, the
encoder, and its arguments are plain values that are checked first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.config import AGGREGATIONS, AdaptedTo, AdaptersConfig, Preprocessing
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError
from vpr_tf.models.weights_files import KERAS, check_weights_file
from vpr_tf.photos.schema import MAX_PIXELS
from vpr_tf.stored_values import StoredValueError, from_stored, parse_json

_ENCODER_NAME = "vpr_tf>GeoLocalizationNet"  # as Keras registers it
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MOST_CONFIG_BYTES = 1 << 20


@dataclass(frozen=True)
class EncoderArguments:
    """The arguments of a `GeoLocalizationNet`, as `get_config` gives them."""

    backbone: str
    descriptor_dim: int | None
    aggregation: str | dict = "gem"
    whitening_dim: int | None = None
    last_stage: int | None = None
    image_shape: list[int | None] = dataclasses.field(
        default_factory=lambda: [None, None, 3]
    )
    train_from_stage: int | None = 0
    bn_mode: str = "torch"
    name: str = "geolocalization_net"
    dtype: str | None = None
    preprocessing: Preprocessing | None = None
    adapters: AdaptersConfig | None = None
    adapted_to: AdaptedTo | None = None

    def __post_init__(self) -> None:
        named = self.aggregation
        AGGREGATIONS.create(**({"name": named} if isinstance(named, str) else named))
        pixels = 1
        for side in self.image_shape:
            pixels *= side or 1
        if pixels > 3 * MAX_PIXELS:
            raise StoredValueError(
                f"`image_shape` must have at most {MAX_PIXELS:,} pixels. Received: "
                f"{self.image_shape}"
            )


def read_arguments(path: Path) -> EncoderArguments:
    """Returns what a `.keras` file says of its encoder.

    Raises:
        OSError: It cannot be read.
        CheckpointError: It is damaged, or holds something else than an encoder.
    """
    check_weights_file(path, KERAS)
    with _opened(path) as archive:
        info = archive.getinfo(_CONFIG)
        if info.file_size > _MOST_CONFIG_BYTES:
            raise StoredValueError(f"its {_CONFIG} has {info.file_size:,} bytes")
        content = parse_json(archive.read(_CONFIG))
        if not isinstance(content, dict):
            raise StoredValueError(f"its {_CONFIG} holds no fields by name")
        if content.get("registered_name") != _ENCODER_NAME:
            raise CheckpointError(
                f"{path} must hold a GeoLocalizationNet. Received: "
                f"{ascii(content.get('class_name'))[:80]}"
            )
        return from_stored(EncoderArguments, content.get("config"), "config")


def extract_weights(path: Path, folder: Path) -> Path:
    """Writes the weights of a `.keras` file into a folder of ours.

    Raises:
        OSError: It cannot be read or written.
        CheckpointError: It is damaged.
    """
    with _opened(path) as archive:
        return Path(archive.extract(_WEIGHTS, folder))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens an archive that holds what Keras writes, and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = sorted(ascii(member.filename[:80])[1:-1] for member in members)
            if names != [_CONFIG, _METADATA, _WEIGHTS]:
                raise CheckpointError(
                    f"{path} must hold {_CONFIG}, {_METADATA} and {_WEIGHTS}, each "
                    f"once. Received: {', '.join(names[:5])}. Use a file that this "
                    "program wrote."
                )
            if any(m.compress_type != zipfile.ZIP_STORED for m in members):
                raise CheckpointError(
                    f"{path} must not be compressed, as Keras writes it. Save or "
                    "convert it again."
                )
            yield archive
    except (CheckpointError, OSError):
        raise
    except (zipfile.BadZipFile, StoredValueError, ValueError, EOFError) as error:
        raise CheckpointError(
            f"{path} is not a readable .keras file: {error}. Copy or convert it again."
        ) from error
