"""Hostile YAML: bombs of aliases, tags, resolvers, and `base:` that leads anywhere."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.hostile.inputs import Content, Files, Link, Pipe
from benchmarks.hostile.stored import not_finite
from benchmarks.hostile.watch import ABSOLUTE_OUTSIDE, OUTSIDE
from vpr_tf.config import (
    ExperimentConfig,
    load_config,
    load_saved_config,
    save_config,
)

_SECRET = "a secret of this machine"
_HEAD = "name: {name}\ndataset: {{path: none}}\n"
_TAGS = (
    f"!!python/object/apply:os.system ['touch {ABSOLUTE_OUTSIDE}/made']",
    f"!!python/object/new:subprocess.Popen [[touch, {ABSOLUTE_OUTSIDE}/made]]",
    "!!python/name:os.system",
    "!!python/module:os",
    f"!!python/object/apply:builtins.open ['{ABSOLUTE_OUTSIDE}/made', 'w']",
    "!!python/tuple [1, 2]",
    "!!binary aGVsbG8=",
    "!!set {a, b}",
    "!!timestamp 2001-01-01",
    "!include other.yaml",
    "!<tag:yaml.org,2002:python/object/apply:os.getcwd> []",
)
_RESOLVERS = (
    *("${oc.env:HOME}", "${oc.env:VPR_HOSTILE,x}", "${oc.decode:'[1,2]'}", "${name}"),
    *("${oc.create:{}}", "${oc.deprecated:name}", "${oc.select:name}", "${.name}"),
    *("${oc.dict.keys:train}", "${${name}}", "${", "${}", "${a.b.c}", "$${name}"),
    *("${oc.env:${oc.env:HOME}}", "???", "${train}", "${oc.nothing:1}"),
)
_NUMBERS = (
    *("1" + "0" * 5000, "0x" + "f" * 4000, "0b" + "1" * 9000, "1e999", "-.inf", ".nan"),
    *("190:20:30.15", "0o777", "1_000", "2001-01-01", "~", "0x_", "+.inf", "1e-999"),
)
_BASES = (
    *("config.yaml", "./config.yaml", "other.yaml", ".", "other.yaml/x", "deep0.yaml"),
    *("/dev/zero", "/dev/random", "/dev/stdin", "pipe", "a" * 5000, "", "\\0", "~"),
    *("http://localhost:1/a.yaml", "[other.yaml]", "{a: 1}", "${oc.env:HOME}", "self"),
)
# Only the config of a user may lead there; one that is received has no base.
_BASES_OUTSIDE = (
    *(f"../{OUTSIDE}/secret.yaml", f"{ABSOLUTE_OUTSIDE}/secret.yaml", "~root/.bashrc"),
    *("link/secret.yaml", "/proc/self/environ", f"sub/../../{OUTSIDE}/secret.yaml"),
)
_FIELDS = (
    *("seed", "name", "runs_dir", "train.batch_size", "evaluation.image_size"),
    *("encoder.backbone", "build.source", "train.head.margin", "dataset.path"),
)


def make_yaml(rng: random.Random) -> Files:
    """Returns a config as it is received, in a run or an export."""
    return _with_others(_text(rng, _TEXTS))


def make_bases(rng: random.Random) -> Files:
    """Returns a config that a user names, with files that its `base` leads to."""
    bases = rng.choice(_BASES), rng.choice(_TEXTS[:-2])(rng)
    return _with_others(_text(rng, (lambda _: f"base: {bases[0]}\n{bases[1]}",)))


def _text(rng: random.Random, texts: Sequence[Callable[[random.Random], str]]) -> str:
    name = rng.choice(("hostile", "'../x'", '"a\\nb"', "'${oc.env:HOME}'", '"\\u202e"'))
    text = _HEAD.format(name="hostile" if rng.random() < 0.8 else name)
    return text + rng.choice(texts)(rng)


def _with_others(text: str) -> Files:
    secret = f"name: {_SECRET}\nseed: 5\n".encode()
    files: dict[str, Content] = {
        "config.yaml": text.encode("utf-8", "surrogatepass"),
        "other.yaml": b"base: config.yaml\n" if "self" in text else b"seed: 1\n",
        f"../{OUTSIDE}/secret.yaml": secret,
    }
    if "pipe" in text:
        files["pipe"] = Pipe()
    if "link" in text:
        files["link"] = Link(f"../{OUTSIDE}")
    if "deep0" in text:
        files |= {
            f"deep{n}.yaml": f"base: deep{n + 1}.yaml\n".encode() for n in range(1500)
        }
    return files


def read_yaml(folder: Path) -> list[str]:
    """Reads a config as it is received; returns what must not be in it."""
    return _problems(folder, load_saved_config(folder / "config.yaml"))


def read_bases(folder: Path) -> list[str]:
    """Reads the config of a user; returns what must not be in it."""
    return _problems(folder, load_config(folder / "config.yaml"))


def _problems(folder: Path, config: ExperimentConfig) -> list[str]:
    problems = list(not_finite(config))
    text = repr(config)
    if _SECRET in text:
        problems.append("it holds what lies outside")
    save_config(config, folder / "again.yaml")
    if load_config(folder / "again.yaml") != config:
        problems.append("it is another one when it was written and read again")
    return problems


def _set(field: str, value: str) -> str:
    """Returns the YAML that sets a field."""
    *outer, last = field.split(".")
    return (
        "".join(f"{name}: {{" for name in outer) + f"{last}: {value}" + "}" * len(outer)
    )


def _field(rng: random.Random, value: str) -> str:
    return _set(rng.choice(_FIELDS), value) + "\n"


def _aliases(rng: random.Random) -> str:
    """Nine names for nine lists of nine names: a few lines, billions of values."""
    width, depth = rng.choice(((2, 30), (9, 9), (9, 12), (30, 6)))
    lines = ["a0: &a0 [x]"]
    for number in range(1, depth):
        names = ", ".join([f"*a{number - 1}"] * width)
        lines.append(f"a{number}: &a{number} [{names}]")
    text = "\n".join(lines) + "\n"
    if rng.random() < 0.3:
        return text
    inner = "".join(f"  {line}\n" for line in lines)
    return rng.choice(
        (
            f"evaluation:\n{inner}",
            f"seed: {{x: &a [*a]}}\n{text}",
            f"evaluation: {{recall_values: &b [*b, *b]}}\n{text}",
            f"build:\n{inner}  tests: *a{depth - 1}\n",
        )
    )


def _cyclic(rng: random.Random) -> str:
    return rng.choice(
        (
            "evaluation: &a {recall_values: *a}\n",
            "&a seed: *a\n",
            "build: &a {tests: {t: *a}}\n",
            "evaluation: {recall_values: &a [*a]}\n",
            "train: &a\n  <<: *a\n  batch_size: 8\n",
            "? &a [*a]\n: 1\n",
        )
    )


def _tag(rng: random.Random) -> str:
    return _field(rng, rng.choice(_TAGS)) if rng.random() < 0.7 else rng.choice(_TAGS)


def _resolver(rng: random.Random) -> str:
    return _field(rng, f"'{rng.choice(_RESOLVERS)}'".replace("''", "'"))


def _number(rng: random.Random) -> str:
    return _field(rng, rng.choice(_NUMBERS))


def _deep(rng: random.Random) -> str:
    depth = rng.choice((50, 500, 5000, 100_000))
    opening, closing = rng.choice((("[", "]"), ("{a: ", "}"), ("[{a: ", "}]")))
    value = opening * depth + "1" + closing * depth
    if rng.random() < 0.3:
        value = "\n" + "".join(" " * n + "a:\n" for n in range(min(depth, 2000)))
    return _field(rng, value) if rng.random() < 0.5 else f"train: {value}\n"


def _twice(rng: random.Random) -> str:
    field = rng.choice(_FIELDS)
    return f"{_set(field, '1')}\n{_set(field, '2')}\n"


def _unicode(rng: random.Random) -> str:
    texts = ("\ufeff", "\u2028", "\u202e", "\0", "\x1b[31m", "\ud800", "\U0001f4f7")
    key, value = rng.choice(texts), rng.choice(texts)
    return rng.choice((f"{key}: 1\n", f'name: "{value}"\n', f"seed: {value}\n", value))


def _base(rng: random.Random) -> str:
    return f"base: {rng.choice(_BASES + _BASES_OUTSIDE)}\n"


def _several(rng: random.Random) -> str:
    return "".join(rng.choice(_TEXTS[:-1])(rng) for _ in range(rng.choice((2, 3))))


_TEXTS: tuple[Callable[[random.Random], str], ...] = (
    *(_aliases, _cyclic, _tag, _resolver, _number, _deep, _twice, _unicode),
    *(_base, _base, _several),
)
