"""Released encoders by name: downloaded, converted and kept."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from vpr_tf.atomic_files import write_json
from vpr_tf.models.aggregations import aggregation_spec, parse_aggregation
from vpr_tf.models.backbones import ImageShape
from vpr_tf.models.conversion import save_verified, set_encoder
from vpr_tf.models.download import (
    default_cache_dir,
    discard_download,
    download,
    file_sha256,
)
from vpr_tf.models.released import ReleasedEncoder, released_encoder
from vpr_tf.models.saved_weights import load_keras_file
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.state_dict import raise_differences

_CONVERTER_VERSION = 1  # another number converts cached files anew


def load_pretrained(
    network: type[keras.Model],
    name: str,
    *,
    cache_dir: str | Path | None = None,
    train_from_stage: int | None = 0,
    bn_mode: str = "torch",
    dtype: Any = None,
    image_shape: ImageShape | None = None,
) -> keras.Model:
    """Builds a released encoder; see `GeoLocalizationNet.from_pretrained`."""
    released = released_encoder(name)
    path = converted_file(network, released, cache_dir)
    model = build_released(
        network,
        released,
        image_shape=image_shape,
        train_from_stage=train_from_stage,
        bn_mode=bn_mode,
        dtype=dtype,
    )
    load_keras_file(model, path)
    return model


def load_released(model: keras.Model, name: str) -> None:
    """Sets the weights of an encoder to released ones.

    Args:
        model: An encoder of the architecture of the released one.
        name: Name of the released encoder.

    Raises:
        ConnectionError: The weights are not there and cannot be downloaded.
        ValueError: The architecture is another; the fields are named.
    """
    released = released_encoder(name)
    config = model.get_config()
    expected: dict[str, Any] = {
        "backbone": released.backbone,
        "aggregation": _aggregation_options(released.aggregation),
        "descriptor_dim": released.projection_dim,
        "last_stage": released.last_stage,
        "whitening_dim": None,
    }
    received = {
        **config,
        "aggregation": _aggregation_options(config["aggregation"]),
    }
    if released.image_size is not None:
        expected["image_shape"] = released.image_shape
    differences = [
        f"encoder.{field}: expected {value!r}, received {received[field]!r}"
        for field, value in expected.items()
        if received[field] != value
    ]
    if differences:
        raise_differences(f"The weights {name} are of another encoder.", differences)
    load_keras_file(model, converted_file(type(model), released))


def build_released(
    network: type[keras.Model],
    released: ReleasedEncoder,
    *,
    image_shape: ImageShape | None = None,
    **options: Any,
) -> keras.Model:
    """Builds the network of a released encoder with random weights.

    Args:
        network: `GeoLocalizationNet`.
        released: Its description.
        image_shape: None for what the encoder needs.
        **options: Further arguments of `GeoLocalizationNet`.
    """
    if image_shape is None:
        options["preprocessing"] = dataclasses.asdict(released.preprocessing)
    return network(
        released.backbone,
        released.projection_dim,
        aggregation=released.aggregation,
        last_stage=released.last_stage,
        image_shape=released.image_shape if image_shape is None else image_shape,
        **options,
    )


def converted_file(
    network: type[keras.Model],
    released: ReleasedEncoder,
    cache_dir: str | Path | None = None,
) -> Path:
    """Returns the `.keras` file of a released encoder, made if it is not there.

    Args:
        network: `GeoLocalizationNet`.
        released: Its description.
        cache_dir: Folder that keeps downloads and converted files; None for
            `$VPR_TF_CACHE` or `~/.cache/vpr_tf`.

    Raises:
        ConnectionError: The weights are not there and cannot be downloaded.
        ValueError: The downloaded weights are damaged or do not fit.
    """
    folder = Path(cache_dir) if cache_dir else default_cache_dir()
    path = folder / "converted" / f"{released.name}.keras"
    record_path = path.with_suffix(".json")
    if _is_valid(path, record_path, released):
        return path
    source = _downloaded(released, folder)
    model = build_released(network, released, dtype="float32")
    try:
        set_encoder(model, read_checkpoint(source))
    except ValueError:
        discard_download(source)
        raise
    record = {
        "converter_version": _CONVERTER_VERSION,
        "source_url": released.url,
        "source_sha256": file_sha256(source),
    }
    record_path.unlink(missing_ok=True)
    record["keras_sha256"] = save_verified(model, path)
    write_json(record_path, record)
    return path


def _downloaded(released: ReleasedEncoder, folder: Path) -> Path:
    source = folder / "downloads" / released.file_name
    if released.url is None and not source.is_file():
        raise ConnectionError(
            f"{released.name} cannot be downloaded by itself. Fetch its file from the "
            "page of its authors and convert it: vpr convert "
            f"--checkpoint FILE --name {released.name} --output "
            f"{released.name}.keras; then use that file."
        )
    if released.url is not None:
        download(
            released.url,
            source,
            size_bytes=released.size_bytes,
            sha256=released.sha256,
        )
    return source


def _is_valid(path: Path, record_path: Path, released: ReleasedEncoder) -> bool:
    """Whether a converted file is whole and made from the released one by this code."""
    if not (path.is_file() and record_path.is_file()):
        return False
    try:
        record = json.loads(record_path.read_text())
    except ValueError:
        return False
    return (
        isinstance(record, dict)
        and record.get("converter_version") == _CONVERTER_VERSION
        and record.get("source_url") == released.url
        and record.get("keras_sha256") == file_sha256(path)
        and released.sha256 in (None, record.get("source_sha256"))
    )


def _aggregation_options(aggregation: str | Mapping[str, Any]) -> dict[str, Any]:
    """Returns an aggregation with all its options, also those by default."""
    name, options, normalize = parse_aggregation(aggregation)
    config = aggregation_spec(name).layer(**options).get_config()
    own = {k: v for k, v in config.items() if k not in ("name", "trainable", "dtype")}
    return {"name": name, "normalize_features": normalize, **own}
