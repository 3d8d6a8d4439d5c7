"""What measures each published number of a paper here: configs and commands."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.config import load_config
from vpr_tf.report.published import PublishedRecall, published_recalls

loaded = functools.cache(load_config)
PAPERS = ("dc", "thesis", "cosplace")
_DC = "configs/divide_and_classify_sf_xl.yaml"
_DENSE = "configs/dense/{}.yaml"
_RELEASED = re.compile(r"CosPlace (VGG16|ResNet\d+)-(\d+)")
_TRAINED = {
    "cosplace_resnet18_512": "configs/cosplace_resnet18_sf_xl.yaml",
    "cosplace_resnet50_2048": "configs/cosplace_resnet50_sf_xl.yaml",
}
_OF_CELLS = {"D&C": "divide_and_classify", "HGE": "hge", "CPlaNet": "cplanet"}
_DRAW = (
    "vpr data synthesize --preset dense --output datasets/dense_images && "
    "vpr data build --config configs/dense/cosplace.yaml && "
    "python -m benchmarks.methods --train --config"
)
_PREPARE = (
    "vpr data datasets prepare {0} --source data/{0} --output datasets/tables/{0}"
)
_UNSTATED = "backbone or descriptor dimension not known"


@dataclass(frozen=True)
class Route:
    """What measures a number, on its own data and on other data.

    Attributes:
        config: Trains the method with the paper's settings; empty for none.
        overrides: Of it.
        released: Name of the encoder that its authors released; empty likewise.
        stand_ins: Configs of the method on other data. Two are a search and the
            classifier that narrows it.
        num_cells: K of such a search.
        missing: Why neither config nor released encoder measures it.
    """

    config: str = ""
    overrides: tuple[str, ...] = ()
    released: str = ""
    stand_ins: tuple[str, ...] = ()
    num_cells: int | None = None
    missing: str = ""

    @property
    def stand_in_command(self) -> str:
        """Measures the method on the data of its stand-ins; empty without."""
        if not self.stand_ins:
            return ""
        paths = [_DENSE.format("cosplace"), *self.stand_ins]
        words = [_DRAW, *dict.fromkeys(paths)]
        if self.num_cells:
            words += ["--narrow-by", loaded(self.stand_ins[-1]).name]
        return " ".join(words)

    def config_of(self, protocol: str, sets: Mapping[str, tuple[str, str]]) -> str:
        """Returns the config that measures a number on its own data; empty for none.

        Args:
            protocol: What the number is of.
            sets: Config and name of the set of each protocol.
        """
        if self.released:
            return sets.get(protocol, ("", ""))[0]
        return self.config if protocol else ""

    def command(self, protocol: str, sets: Mapping[str, tuple[str, str]]) -> str:
        """Returns what measures it, from photos to report; see `config_of`."""
        path = self.config_of(protocol, sets)
        if not path:
            return ""
        words = " ".join([f"--config {path}", *self.overrides])
        steps, model, name = [f"vpr data build {words}"], self.released, self.released
        if not self.released:
            steps.append(f"vpr train {words}")
            name = loaded(path, self.overrides).name
            model = f"runs/{name}/TIME"
        else:
            steps.insert(0, _PREPARE.format(Path(path).stem))
            words += f" --set {sets[protocol][1]} --output runs/{name}"
        return " && ".join([*steps, f"vpr evaluate {words} --model {model} --report"])


def published_of(paper: str) -> list[PublishedRecall]:
    """Returns the numbers of a paper: of `cosplace` those of anybody on CosPlace."""
    return [
        one
        for one in published_recalls()
        if one.paper == paper
        or (paper == "cosplace" and not one.paper and one.method.startswith("CosPlace"))
    ]


def route_of(published: PublishedRecall) -> Route:
    """Returns what measures a published number.

    Raises:
        KeyError: The plan does not have its method.
    """
    if published.paper == "thesis":
        return _THESIS[published.method]
    if published.paper == "dc":
        return _narrowed(published.method) or _TABLE_1[published.method]
    found = _RELEASED.fullmatch(published.method)
    if found is None:
        return Route(missing=_UNSTATED)
    released = f"cosplace_{found[1].lower()}_{found[2]}"
    return Route(_TRAINED.get(released, ""), released=released)


def _narrowed(method: str) -> Route | None:
    """Returns the route of `D&C + CosPlace, K = 100`; None for another method."""
    found = re.fullmatch(r"(\S+) \+ (\S+).*, K = (\d+)", method)
    if found is None:
        return None
    if found[2] != "CosPlace":
        return Route(missing=_NO_NETVLAD)
    configs = _DENSE.format("cosplace"), _DENSE.format(_OF_CELLS[found[1]])
    return Route(stand_ins=configs, num_cells=int(found[3]), missing=_UNSTATED)


def _baseline(name: str) -> Route:
    return Route(
        stand_ins=(_DENSE.format(name),),
        missing="its settings for SF-XL are not known here",
    )


_NO_NETVLAD = "there is no NetVLAD encoder here"
_COSPLACE = Route(stand_ins=(_DENSE.format("cosplace"),), missing=_UNSTATED)
_NO_INDEX = Route(missing="the table of methods has no index of this kind")
_TABLE_1 = {
    "PlaNet": _baseline("planet"),
    "HGE": _baseline("hge"),
    "CPlaNet": _baseline("cplanet"),
    "MvMF": _baseline("mvmf"),
    "D&C": Route(_DC, stand_ins=(_DENSE.format("divide_and_classify"),)),
    "D&C, cross-entropy": Route(
        _DC,
        (
            "name=dc_cross_entropy_sf_xl",
            "train.head.name=cross_entropy",
        ),
        stand_ins=(_DENSE.format("dc_cross_entropy"),),
    ),
    "NetVLAD": Route(missing=_NO_NETVLAD),
    "NetVLAD + PCA, all cells": Route(missing=_NO_NETVLAD),
    "CosPlace": _COSPLACE,
    "CosPlace, all cells": _COSPLACE,
    "CosPlace, HNSW": _NO_INDEX,
    "CosPlace, IVFPQ, 8 ms": _NO_INDEX,
    "CosPlace, IVFPQ, 141 ms": _NO_INDEX,
    # Its K is that of table 2 with the same LR@1.
    "D&C + CosPlace": Route(
        stand_ins=(_DENSE.format("cosplace"), _DENSE.format("divide_and_classify")),
        num_cells=100,
        missing=_UNSTATED,
    ),
}
_THESIS = {
    method: Route(stand_ins=(_DENSE.format(name),), missing="data not here")
    for method, name in {
        "cells and headings": "inr_thesis",
        "direct regression": "inr_direct_regression",
        "hypersphere": "inr_hypersphere",
    }.items()
}
