"""All public datasets that are known, by name."""

from __future__ import annotations

from data_prep.datasets import (
    convention_sets,
    csv_sets,
    drive_sets,
    frame_sets,
    gsv_cities,
    msls,
    netvlad_sets,
)
from data_prep.datasets.photo_list import Adapter
from data_prep.errors import DataPrepError
from vpr_tf.config.rules import did_you_mean

_ADAPTERS = {
    adapter.description.name: adapter
    for adapter in (
        *convention_sets.ADAPTERS,
        *netvlad_sets.ADAPTERS,
        *msls.ADAPTERS,
        *frame_sets.ADAPTERS,
        *drive_sets.ADAPTERS,
        *gsv_cities.ADAPTERS,
        *csv_sets.ADAPTERS,
    )
}
# Why a dataset that people ask for has no adapter.
_UNSUPPORTED = {
    "baidu": "its layout is not stated anywhere that this program knows. Write its "
    "photos into a CSV table (path, latitude, longitude) and build from that.",
}


def dataset_names() -> list[str]:
    """Returns the names of the datasets, in the order of the documentation."""
    return list(_ADAPTERS)


def unsupported() -> dict[str, str]:
    """Returns why a dataset has no adapter, by its name."""
    return dict(_UNSUPPORTED)


def find_adapter(name: str) -> Adapter:
    """Returns the adapter of a dataset.

    Raises:
        DataPrepError: There is none.
    """
    if name in _UNSUPPORTED:
        raise DataPrepError(f"{name} is not supported: {_UNSUPPORTED[name]}")
    if name not in _ADAPTERS:
        known = [*_ADAPTERS, *_UNSUPPORTED]
        raise DataPrepError(
            f"No dataset is called {name!r}{did_you_mean(name, known)} "
            "`vpr data datasets list` names all."
        )
    return _ADAPTERS[name]
