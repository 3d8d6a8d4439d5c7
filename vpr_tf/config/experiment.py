"""A whole experiment: its dataclass, from YAML files and back."""

from __future__ import annotations

import dataclasses
import io
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from vpr_tf.config.dataset import BuildConfig, DatasetConfig
from vpr_tf.config.encoder import EncoderConfig
from vpr_tf.config.evaluation import (
    ClassificationConfig,
    EvaluationConfig,
    LocalizationConfig,
    ReportConfig,
)
from vpr_tf.config.merging import (
    METHOD_SECTIONS,
    Values,
    drop_former_fields,
    merge,
    section_of,
)
from vpr_tf.config.rules import (
    LARGEST_SEED,
    ConfigError,
    check,
    check_finite,
    check_name,
    check_range,
    check_text,
    did_you_mean,
)
from vpr_tf.config.training import TrainConfig
from vpr_tf.config.yaml_size import check_yaml_size
from vpr_tf.paths import expand_path, expand_paths, map_paths, shared_path

_BASE = "base"
_MOST_FILES = 20
# PyYAML makes values of tags such as `!!timestamp` by code that expects the right text.
_YAML_ERRORS = (
    *(yaml.YAMLError, OmegaConfBaseException),
    *(AttributeError, LookupError, OverflowError, TypeError, ValueError),
)
# Fields that hold paths, in which ~ and $NAME are expanded.
_PATHS = re.compile(
    r"runs_dir|savedmodels_dir|dataset\.path|encoder\.weights|classification\.model"
    r"|train\.(teacher\.model|target\.photos)"
    r"|build\.(source|train|val\.\w+|tests\..+\.\w+|reading\.folder)"
)
_RESOLVER = re.compile(r"\$\{[^${}]*:")


@dataclass(frozen=True)
class ExperimentConfig:
    """All that one experiment needs; the schema of the files in `configs/`."""

    name: str = "???"  # of the runs and of the exports
    seed: int = 0  # of weights, samples and augmentation
    runs_dir: str = "runs"  # runs, `<name>/<time>/` in it
    savedmodels_dir: str = "savedmodels"  # exports, `<name>/<version>/` in it
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    build: BuildConfig = field(default_factory=BuildConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    classification: ClassificationConfig = field(default_factory=ClassificationConfig)
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_range(self, "", 0, LARGEST_SEED, "seed")
        if self.evaluation.method == "classification":
            self.train.check_has_class_heads("`evaluation.method: classification`")
        for name in ("lora", "adapters"):
            check(
                getattr(self.encoder, name) is None or self.train.input == "images",
                "train.input",
                f"images with `encoder.{name}`, because descriptors come from an "
                "encoder that stays as it is",
                self.train.input,
            )
        size = self.encoder.image_size
        if size is None:
            return
        fixed = f"{size}, as `encoder.image_size`"
        evaluation = self.evaluation.preprocessing
        trained, evaluated = self.train.image_size, evaluation.image_size
        check(trained == size, "train.image_size", fixed, trained)
        check(evaluated == size, "evaluation.image_size", fixed, evaluated)
        resize = evaluation.resize
        why = "square, since `encoder.image_size` is set"
        check(resize == "square", "evaluation.resize", why, resize)

    @property
    def partition_name(self) -> str:
        """The partition that training uses."""
        return self.dataset.partition or self.build.partition.name


def as_dict(config: Any) -> dict[str, Any]:
    """Returns a dataclass of the config as plain JSON-ready values."""
    return dataclasses.asdict(config)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Reads a YAML file, applies overrides and checks every rule.

    A file may say `base: other.yaml`, relative to itself: then it holds what differs
    from that file. Mappings are merged, everything else is replaced. Where a section's
    method changes, fields that the new method does not have are not inherited.

    Args:
        path: YAML file with the fields of `ExperimentConfig`.
        overrides: `dotted.key=value` strings, e.g. `train.batch_size=8`.

    Raises:
        ConfigError: The file is missing or not YAML, or a key is unknown, or a
            value has the wrong type or breaks a rule.

    Example:
        >>> import vpr_tf as vpr
        >>> config = vpr.load_config("small.yaml", ["train.batch_size=8"])
        >>> config.name, config.train.batch_size
        ('small', 8)
    """
    path = Path(path)
    return _checked(_read_with_bases(path, ()), overrides, str(path))


def load_saved_config(
    path: str | Path, overrides: Sequence[str] = ()
) -> ExperimentConfig:
    """Reads what `save_config` wrote, as it lies in a run or an export.

    It may come from a stranger, and is whole: a `base` would lead to other files, and
    `$NAME` in its paths to the environment.

    Args:
        path: The file.
        overrides: The user's own, see `load_config`.

    Raises:
        ConfigError: See `load_config`; or it has a `base`.
    """
    path = Path(path)
    _check_is_file(path)
    values = _read(path)
    if _BASE in values:
        raise ConfigError(
            f"{path} must be a config as runs and exports keep it, without `base`. "
            "Pass a config of your own by --config."
        )
    return _checked(values, overrides, str(path), is_own=False)


def config_from_values(
    values: Mapping[str, Any], overrides: Sequence[str] = ()
) -> ExperimentConfig:
    """Checks a configuration that is a mapping, as of a YAML file.

    Args:
        values: Fields of `ExperimentConfig`.
        overrides: See `load_config`.

    Raises:
        ConfigError: See `load_config`.
    """
    return _checked(dict(values), overrides, "config")


def _checked(
    values: Values, overrides: Sequence[str], source: str, *, is_own: bool = True
) -> ExperimentConfig:
    """Makes a config of values over which overrides are laid.

    Args:
        values: Of a file.
        overrides: Of the user.
        source: What the values are, for messages.
        is_own: Whether the user wrote the file, so that its paths are expanded.
    """
    kept = [field.name for field in dataclasses.fields(ExperimentConfig)]
    changes = _parse_overrides(overrides)
    try:
        if not is_own:
            changes = expand_paths(changes, _PATHS, kept)
        values = merge(values, changes)
        _refuse_resolvers(values)
        # After merging: what is overridden need not be known here.
        return _to_config(expand_paths(values, _PATHS, kept) if is_own else values)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    except (OmegaConfBaseException, TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{source}: {_first_lines(error)}") from error
    except RecursionError:
        raise ConfigError(f"{source}: values are nested too deeply.") from None


def _refuse_resolvers(values: Any, name: str = "") -> None:
    """Refuses `${oc.env:SECRET}` and the like: a config may come from a stranger."""
    if isinstance(values, dict):
        for key, value in values.items():
            _refuse_resolvers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list):
        for value in values:
            _refuse_resolvers(value, name)
    elif isinstance(values, str) and _RESOLVER.search(values):
        raise ConfigError(
            f"`{name}` must not call a resolver. Received: {values!r}. Write "
            "the value, or $NAME in a path."
        )


def config_yaml(config: ExperimentConfig) -> str:
    """Returns a resolved configuration as YAML: all fields, no `base`."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def shared_config(config: ExperimentConfig) -> ExperimentConfig:
    """Returns a config to be passed on: no absolute path, no address of a cluster.

    Args:
        config: As it was resolved on this machine.
    """
    evaluation = config.evaluation
    if evaluation.milvus_uri is not None:
        evaluation = dataclasses.replace(evaluation, index="auto", milvus_uri=None)
    values = as_dict(dataclasses.replace(config, evaluation=evaluation))
    return _to_config(map_paths(values, _PATHS, shared_path))


def save_config(config: ExperimentConfig, path: str | Path) -> None:
    """Writes the resolved configuration as YAML that `load_config` reads."""
    Path(path).write_text(config_yaml(config))


# === Reading ===


def _read_with_bases(path: Path, readers: tuple[Path, ...]) -> Values:
    """Reads a file over the file that it names as its base."""
    if readers and not _is_file(path):
        raise ConfigError(f"{readers[-1]}: there is no file {path}, its `base`.")
    _check_is_file(path)
    chain = (*readers, path)
    if len(chain) > _MOST_FILES:
        raise ConfigError(
            f"A config may rest on {_MOST_FILES - 1} others by `base`; {chain[0]} has "
            "more. Write what it says into fewer files."
        )
    if path.resolve() in [reader.resolve() for reader in readers]:
        names = " -> ".join(str(reader) for reader in chain)
        raise ConfigError(f"The `base` of these files goes in a circle: {names}")
    values = _read(path)
    base = values.pop(_BASE, None)
    if base is None:
        return values
    if not isinstance(base, str):
        raise ConfigError(f"{path}: `base` must be a file name. Received: {base!r}")
    try:
        below = path.parent / expand_path(base)
    except ValueError as error:
        raise ConfigError(f"{path}: `base`: {error}") from None
    return merge(_read_with_bases(below, chain), values)


def _check_is_file(path: Path) -> None:
    if not _is_file(path):
        raise ConfigError(
            f"No config file at {path}. Pass one of configs/*.yaml by --config."
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # as of a name that is too long
        return False


def _read(path: Path) -> Values:
    try:
        text = path.read_text(encoding="utf-8")
        check_yaml_size(text)
        loaded = OmegaConf.load(io.StringIO(text))
        values = _plain(loaded) if isinstance(loaded, DictConfig) else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply.") from None
    except _YAML_ERRORS as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if values is None:
        raise ConfigError(f"{path} must hold a mapping of fields.")
    drop_former_fields(values)
    return values


def _parse_overrides(overrides: Sequence[str]) -> Values:
    for override in overrides:
        if "=" not in override:
            raise ConfigError(
                f"An override must look like train.batch_size=8. Received: {override!r}"
            )
    try:
        values = _plain(OmegaConf.from_dotlist(list(overrides)))
    except _YAML_ERRORS as error:
        text = " ".join(overrides)
        raise ConfigError(f"Overrides {text}: {_first_lines(error)}") from error
    if _BASE in values:
        raise ConfigError("`base` stands in config files; it cannot be overridden.")
    return values


def _plain(loaded: DictConfig) -> Values:
    return typing.cast(Values, OmegaConf.to_container(loaded, resolve=False))


# === Checking ===


def _to_config(values: Values) -> ExperimentConfig:
    _check_fields(ExperimentConfig, values, "")
    schema = OmegaConf.structured(ExperimentConfig)
    for methods in METHOD_SECTIONS:
        parent, name = section_of(methods, values)
        section = (parent or {}).get(name, {})
        outer = schema[methods.path.split(".")[0]]
        with read_write(outer):
            outer[name] = OmegaConf.structured(methods.class_of(section))
    config = OmegaConf.to_object(OmegaConf.merge(schema, values))
    return typing.cast(ExperimentConfig, config)


def _check_fields(config_class: type, values: Any, path: str) -> None:
    """Refuses unknown fields, in sections with methods those of other methods."""
    if not isinstance(values, Mapping):
        if values is None:
            raise ConfigError(f"`{path}` is empty; leave it out to take its defaults.")
        raise ConfigError(f"`{path}` must be a mapping of fields. Received: {values!r}")
    for methods in METHOD_SECTIONS:
        if methods.path == path:
            methods.check_fields(values)
            config_class = methods.class_of(values)
    hints = typing.get_type_hints(config_class)
    known = [field.name for field in dataclasses.fields(config_class)]
    for name, value in values.items():
        dotted = f"{path}.{name}" if path else str(name)
        if name not in known:
            found = did_you_mean(name, known)
            fields = f" Known: {', '.join(known)}." if found == "." else ""
            raise ConfigError(f"There is no field `{dotted}`{found}{fields}")
        check_finite(dotted, value)
        if typing.get_origin(hints[name]) is list:
            check(isinstance(value, list), dotted, "a list, as [one, two]", value)
        if hints[name] in (str, str | None):
            check_text(dotted, value, (bool, float))
        nested, is_optional, is_table = _nested_class(hints[name])
        if nested is None or (is_optional and value is None):
            continue
        if is_table and isinstance(value, Mapping):
            for key, entry in value.items():
                check_text(f"{dotted}.{key}", key, (bool, float, int))
                _check_fields(nested, entry, f"{dotted}.{key}")
        else:
            _check_fields(nested, value, dotted)


def _nested_class(hint: Any) -> tuple[Any, bool, bool]:
    """Returns the dataclass of a field, if it may be null, if it is a table of such."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is dict and dataclasses.is_dataclass(arguments[1]):
        return arguments[1], False, True
    is_optional = isinstance(hint, types.UnionType) and type(None) in arguments
    for kind in arguments if is_optional else (hint,):
        if dataclasses.is_dataclass(kind):
            return kind, is_optional, False
    return None, is_optional, False


def _first_lines(error: Exception) -> str:
    """Keeps the message and the key of an OmegaConf error, not its object dump."""
    message, *facts = [line.strip() for line in str(error).splitlines() if line.strip()]
    keys = [fact for fact in facts if fact.startswith("full_key: ")]
    others = [fact for fact in facts if "_key: " not in fact and "_type" not in fact]
    named = [f"`{key.removeprefix('full_key: ')}`:" for key in keys]
    return " ".join([*named, message, *others])
