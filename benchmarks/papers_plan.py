"""What measures each published number of a paper here: configs and commands."""

from __future__ import annotations

import dataclasses
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
_DRAW = "vpr data synthesize --preset dense --output datasets/dense_images"
_BUILD = "vpr data build --config configs/dense/cosplace.yaml"
_GRID = re.compile(r"M (?:=|about) (\d+)")
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
        index: Engine of a search that is approximate; see `Measured`.
        pca_dim: To what PCA cuts the descriptors that are searched.
        of_heads: Whether `benchmarks.thesis` measures it, and not the table of methods.
        grid: M of a relative grid, on which it trains the heads.
        missing: Why neither config nor released encoder measures it.
    """

    config: str = ""
    overrides: tuple[str, ...] = ()
    released: str = ""
    stand_ins: tuple[str, ...] = ()
    num_cells: int | None = None
    index: str = ""
    pca_dim: int | None = None
    of_heads: bool = False
    grid: int | None = None
    missing: str = ""

    def stand_in_command(self, overrides: tuple[str, ...] = ()) -> str:
        """Measures the method on the data of its stand-ins; empty without.

        Args:
            overrides: Of the stand-ins.
        """
        if not self.stand_ins:
            return ""
        if self.of_heads:
            name = loaded(self.stand_ins[0]).name
            words = ["thesis --train --only"]
            words += [name] if self.grid is None else [f"{name}_grid{self.grid}"]
            return _on_drawn_city(words, overrides)
        paths = [_DENSE.format("cosplace"), *self.stand_ins]
        words = ["methods --train --config", *dict.fromkeys(paths)]
        if self.num_cells:
            words += ["--narrow-by", loaded(self.stand_ins[-1]).name]
        if self.pca_dim:
            words += ["--pca", f"{loaded(self.stand_ins[0]).name}:{self.pca_dim}"]
        return _on_drawn_city(words, overrides)

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


def _on_drawn_city(benchmark: list[str], overrides: tuple[str, ...]) -> str:
    """Returns what draws the city, unless photos are there already, and measures."""
    has_photos = any(word.startswith("build.source=") for word in overrides)
    steps = [] if has_photos else [_DRAW]
    steps.append(" ".join([_BUILD, *overrides]))
    steps.append(" ".join(["python -m", f"benchmarks.{benchmark[0]}", *benchmark[1:]]))
    return " && ".join(steps) + "".join(f" {word}" for word in overrides)


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
        found = _GRID.search(published.data)
        route = _THESIS[published.method]
        return dataclasses.replace(route, grid=int(found[1])) if found else route
    if published.paper == "dc":
        return _narrowed(published.method) or _TABLE_1[published.method]
    found = _RELEASED.fullmatch(published.method)
    if found is None:
        return Route(missing=_UNSTATED)
    released = f"cosplace_{found[1].lower()}_{found[2]}"
    return Route(_TRAINED.get(released, ""), released=released)


def _narrowed(method: str) -> Route | None:
    """Returns the route of `D&C + CosPlace, K = 100`; None for another method."""
    found = re.fullmatch(r"(\S+) \+ (CosPlace|NetVLAD \+ PCA), K = (\d+)", method)
    if found is None:
        return None
    cells, num_cells = _DENSE.format(_OF_CELLS[found[1]]), int(found[3])
    if found[2] == "CosPlace":
        stand_ins = _DENSE.format("cosplace"), cells
        return Route(stand_ins=stand_ins, num_cells=num_cells, missing=_UNSTATED)
    stand_ins = _NETVLAD.stand_ins[0], cells
    return dataclasses.replace(_NETVLAD, stand_ins=stand_ins, num_cells=num_cells)


def _baseline(name: str) -> Route:
    return Route(
        stand_ins=(_DENSE.format(name),),
        missing="its settings for SF-XL are not known here",
    )


_NETVLAD = Route(
    stand_ins=(_DENSE.format("netvlad"),),
    pca_dim=512,
    missing="no NetVLAD encoder of SF-XL is here",
)
_COSPLACE = Route(stand_ins=(_DENSE.format("cosplace"),), missing=_UNSTATED)


def _approximate(index: str) -> Route:
    return dataclasses.replace(_COSPLACE, index=index)


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
    "NetVLAD": _NETVLAD,
    "NetVLAD + PCA, all cells": _NETVLAD,
    "CosPlace": _COSPLACE,
    "CosPlace, all cells": _COSPLACE,
    "CosPlace, HNSW": _approximate("HNSW"),
    "CosPlace, IVFPQ, 8 ms": _approximate("IVFPQ, few lists"),
    "CosPlace, IVFPQ, 141 ms": _approximate("IVFPQ, many lists"),
    # Its K is that of table 2 with the same LR@1.
    "D&C + CosPlace": Route(
        stand_ins=(_DENSE.format("cosplace"), _DENSE.format("divide_and_classify")),
        num_cells=100,
        missing=_UNSTATED,
    ),
}
_THESIS = {
    method: Route(
        stand_ins=(_DENSE.format(name),), of_heads=True, missing="data not here"
    )
    for method, name in {
        "cells and headings": "inr_thesis",
        "direct regression": "inr_direct_regression",
        "hypersphere": "inr_hypersphere",
    }.items()
}
