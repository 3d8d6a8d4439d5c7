"""Augmentations after crop and colour jitter: a dataclass each, by name.

`vpr_tf.data.extra_augmentations` draws them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vpr_tf.config.color_jitter import JitterStrengths
from vpr_tf.config.rules import ConfigError, check, check_range, did_you_mean

KERAS_PREFIX = "keras."
# Layers of Keras that change one image and keep its size; a test compares.
KERAS_LAYERS = (
    *("AutoContrast", "Equalization", "RandAugment", "RandomBrightness"),
    *("RandomColorDegeneration", "RandomColorJitter", "RandomContrast"),
    *("RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur"),
    *("RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective"),
    *("RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness"),
    *("RandomShear", "RandomTranslation", "RandomZoom", "Solarization"),
)
_REFUSED_LAYERS = {
    "AugMix": "it chooses its operations by Python's random when it is first called, "
    "so that a run could not be repeated: take RandAugment or keras.RandAugment"
}
_PATH = "train.augmentation.extra"
_MOST_NESTED = 4


@dataclass(frozen=True)
class ExtraAugmentation:
    """What all have: the share of images that are changed."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        self.check_shares("probability")

    def check_shares(self, *names: str) -> None:
        """Checks that fields are in [0, 1]."""
        check_range(self, _PATH, 0, 1, *names)

    def check_ordered(self, low: str, high: str) -> None:
        """Checks that one field is at most another."""
        limit = getattr(self, high)
        value, expected = getattr(self, low), f"at most `{high}`, {limit:g}"
        check(value <= limit, f"{_PATH}.{low}", expected, value)


@dataclass(frozen=True)
class ColorJitter(JitterStrengths, ExtraAugmentation):
    """The colour jitter of `train.augmentation`, as a choice or after others."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_strengths(_PATH)


@dataclass(frozen=True)
class RandomPerspective(ExtraAugmentation):
    """Moves the corners inwards, each by up to this half side; black around it."""

    factor: float = 0.5  # distortion_scale of torchvision

    def __post_init__(self) -> None:
        self.check_shares("probability", "factor")


@dataclass(frozen=True)
class RandomErasing(ExtraAugmentation):
    """Replaces a rectangle by noise or black (arXiv:1708.04896)."""

    min_area: float = 0.02  # of the image
    max_area: float = 0.33
    min_aspect: float = 0.3  # width over height, up to 1 over this
    noise: bool = False  # uniform, instead of black

    def __post_init__(self) -> None:
        self.check_shares("probability", "min_area", "max_area")
        aspect = self.min_aspect
        check(0 < aspect <= 1, f"{_PATH}.min_aspect", "in (0, 1]", aspect)
        self.check_ordered("min_area", "max_area")


@dataclass(frozen=True)
class Cutout(ExtraAugmentation):
    """Blacks out a square anywhere (arXiv:1708.04552)."""

    probability: float = 0.3
    size: float = 0.25  # side, of the image's

    def __post_init__(self) -> None:
        self.check_shares("probability", "size")


@dataclass(frozen=True)
class GaussianBlur(ExtraAugmentation):
    """Blurs, as a lens out of focus."""

    probability: float = 0.2
    min_sigma: float = 0.1  # pixels
    max_sigma: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, 10, "min_sigma", "max_sigma")
        self.check_ordered("min_sigma", "max_sigma")


@dataclass(frozen=True)
class MotionBlur(ExtraAugmentation):
    """Smears along a line, as a moving camera; near the horizontal."""

    probability: float = 0.1
    length: float = 0.04  # longest line, of the image's side
    max_angle_deg: float = 30.0  # either way

    def __post_init__(self) -> None:
        self.check_shares("probability")
        check_range(self, _PATH, 0, 0.2, "length")
        check_range(self, _PATH, 0, 180, "max_angle_deg")


@dataclass(frozen=True)
class Grayscale(ExtraAugmentation):
    """Drops the colours."""

    probability: float = 0.1


@dataclass(frozen=True)
class Solarize(ExtraAugmentation):
    """Inverts what is brighter than a random level."""

    probability: float = 0.2
    min_level: float = 0.5  # of white

    def __post_init__(self) -> None:
        self.check_shares("probability", "min_level")


@dataclass(frozen=True)
class Equalize(ExtraAugmentation):
    """Makes all 256 levels of a channel about equally frequent."""

    probability: float = 0.2


@dataclass(frozen=True)
class Sharpness(ExtraAugmentation):
    """Blends with a smoothed image: below 1 blurs, above 1 sharpens."""

    probability: float = 0.3
    factor: float = 0.8  # the blend is drawn from 1 - factor to 1 + factor

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, 10, "factor")


@dataclass(frozen=True)
class Rotation(ExtraAugmentation):
    """Turns around the middle; black around it."""

    probability: float = 0.2
    max_angle_deg: float = 10.0  # either way

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 0, 180, "max_angle_deg")


@dataclass(frozen=True)
class JpegArtefacts(ExtraAugmentation):
    """Encodes as JPEG and decodes again."""

    probability: float = 0.2
    min_quality: int = 20
    max_quality: int = 75

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 1, 100, "min_quality", "max_quality")
        self.check_ordered("min_quality", "max_quality")


@dataclass(frozen=True)
class Night(ExtraAugmentation):
    """Light, lit windows and sensor noise of the miniature city at dusk."""

    probability: float = 0.2
    min_exposure: float = 0.5  # of the light at dusk; up to all of it
    noise: float = 0.04  # most standard deviation, of white

    def __post_init__(self) -> None:
        self.check_shares("probability", "min_exposure", "noise")


@dataclass(frozen=True)
class Haze(ExtraAugmentation):
    """Fog of the miniature city, in a street of the usual width."""

    probability: float = 0.2
    min_length_m: float = 35.0  # after which 63 % of the light is haze
    max_length_m: float = 220.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _PATH, 1, None, "min_length_m", "max_length_m")
        self.check_ordered("min_length_m", "max_length_m")


@dataclass(frozen=True)
class FourierMixing(ExtraAugmentation):
    """Low frequencies' amplitudes of a photo of `train.target` (arXiv:2004.05498)."""

    window: float = 0.02  # highest frequency that is mixed, of the image's side (beta)
    max_share: float = 1.0  # of the other's amplitudes, from 0 up to this

    def __post_init__(self) -> None:
        self.check_shares("probability", "max_share")
        check_range(self, _PATH, 0, 0.5, "window")


@dataclass(frozen=True)
class RandAugment(ExtraAugmentation):
    """A few random changes of one strength (arXiv:1909.13719).

    Out of rotation, shear, translation, brightness, contrast, saturation, sharpness,
    solarize, posterize, equalize and none.
    """

    num_ops: int = 2
    magnitude: float = 0.3  # 1 is the strongest

    def __post_init__(self) -> None:
        self.check_shares("probability", "magnitude")
        check_range(self, _PATH, 1, 8, "num_ops")


@dataclass(frozen=True)
class RandomChoice(ExtraAugmentation):
    """One of several, each equally likely and then applied unless it says less."""

    probability: float = 1.0
    choices: list[dict[str, Any]] = field(default_factory=list)  # as in `extra`

    def __post_init__(self) -> None:
        super().__post_init__()
        check(bool(self.choices), f"{_PATH}.choices", "a list of one or more", [])


@dataclass(frozen=True)
class KerasLayer(ExtraAugmentation):
    """A preprocessing layer of Keras by its name there, with its own arguments."""

    probability: float = 1.0
    layer: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


AUGMENTATIONS: dict[str, type[ExtraAugmentation]] = {
    method.__name__: method
    for method in (
        *(ColorJitter, RandomPerspective, Rotation, RandomErasing, Cutout),
        *(GaussianBlur, MotionBlur, Sharpness, Grayscale, Solarize, Equalize),
        *(JpegArtefacts, Night, Haze, FourierMixing, RandAugment, RandomChoice),
    )
}


def augmentation_of(
    entry: Mapping[str, Any], path: str = _PATH, depth: int = 0
) -> ExtraAugmentation:
    """Returns what an entry of `train.augmentation.extra` describes.

    Args:
        entry: `name` and fields of that augmentation.
        path: Where it stands, for messages.
        depth: Choices that it lies in.

    Raises:
        ConfigError: There is no such name or field, or a value breaks a rule.

    Example:
        >>> from vpr_tf.config import augmentation_of
        >>> augmentation_of({"name": "RandomPerspective", "factor": 0.3})
        RandomPerspective(probability=0.5, factor=0.3)
    """
    if not isinstance(entry, Mapping):
        raise ConfigError(
            f"`{path}` must be a mapping such as {{name: GaussianBlur}}. "
            f"Received: {entry!r}"
        )
    values = dict(entry)
    name = values.pop("name", None)
    if isinstance(name, str) and name.startswith(KERAS_PREFIX):
        return _keras_layer(name.removeprefix(KERAS_PREFIX), values, path)
    if not isinstance(name, str) or name not in AUGMENTATIONS:
        known = [*AUGMENTATIONS, *(KERAS_PREFIX + layer for layer in KERAS_LAYERS)]
        raise ConfigError(
            f"`{path}` has no augmentation {name!r}{did_you_mean(name, known)} "
            f"Known: {', '.join(AUGMENTATIONS)}; layers of Keras as "
            "keras.RandomShear, with its arguments."
        )
    method = AUGMENTATIONS[name]
    _check_fields(method, values, f"{path} ({name})")
    if method is RandomChoice and depth >= _MOST_NESTED:
        raise ConfigError(f"`{path}`: choices are nested too deeply.")
    try:
        made = method(**values)
    except ConfigError as error:  # which does not know where the entry stands
        raise ConfigError(str(error).replace(_PATH, path, 1)) from error
    if isinstance(made, RandomChoice):
        inner = [
            augmentation_of(_surely(choice), f"{path}.choices[{number}]", depth + 1)
            for number, choice in enumerate(made.choices)
        ]
        made = dataclasses.replace(made, choices=[entry_of(one) for one in inner])
    return made


def needs_target(augmentation: ExtraAugmentation) -> bool:
    """Whether an augmentation, or one that it may choose, reads `train.target`."""
    if isinstance(augmentation, RandomChoice):
        return any(needs_target(augmentation_of(one)) for one in augmentation.choices)
    return isinstance(augmentation, FourierMixing)


def _surely(choice: Any) -> Any:
    """Returns an entry that is applied whenever it is chosen, unless it says less."""
    return {"probability": 1.0, **choice} if isinstance(choice, Mapping) else choice


def entry_of(augmentation: ExtraAugmentation) -> dict[str, Any]:
    """Returns the entry of `train.augmentation.extra`, with all fields."""
    if isinstance(augmentation, KerasLayer):
        name = KERAS_PREFIX + augmentation.layer
        values = {"probability": augmentation.probability, **augmentation.arguments}
    else:
        name, values = type(augmentation).__name__, dataclasses.asdict(augmentation)
    return {"name": name, **values}


def _keras_layer(layer: str, values: dict[str, Any], path: str) -> KerasLayer:
    if layer in _REFUSED_LAYERS:
        raise ConfigError(
            f"`{path}` cannot have keras.{layer}: {_REFUSED_LAYERS[layer]}."
        )
    if layer not in KERAS_LAYERS:
        raise ConfigError(
            f"`{path}` cannot have keras.{layer}{did_you_mean(layer, KERAS_LAYERS)} "
            "It must change one image and keep its size: "
            f"{', '.join(KERAS_LAYERS)}."
        )
    for name in ("seed", "dtype", "data_format"):
        if name in values:
            raise ConfigError(
                f"`{path}` (keras.{layer}) has no `{name}`: it is that of the run. "
                "Leave it out."
            )
    probability = values.pop("probability", 1.0)
    _check_type(f"{path} (keras.{layer}).probability", 1.0, probability)
    return KerasLayer(probability, layer, values)


def _check_fields(method: type, values: Mapping[str, Any], path: str) -> None:
    """Refuses unknown fields and values of another type than the default's."""
    defaults = {one.name: one for one in dataclasses.fields(method)}
    for name, value in values.items():
        if name not in defaults:
            raise ConfigError(
                f"`{path}` has no field `{name}`{did_you_mean(name, defaults)} "
                f"Known: {', '.join(defaults)}."
            )
        if defaults[name].default is not dataclasses.MISSING:
            _check_type(f"{path}.{name}", defaults[name].default, value)
        else:
            check(isinstance(value, list), f"{path}.{name}", "a list", value)


def _check_type(path: str, default: Any, value: Any) -> None:
    kinds = {bool: (bool,), int: (int,), float: (int, float)}[type(default)]
    is_right = isinstance(value, kinds) and isinstance(value, bool) == (
        kinds == (bool,)
    )
    check(is_right, path, f"a {type(default).__name__}", value)
    check(math.isfinite(value), path, "a finite number", value)
