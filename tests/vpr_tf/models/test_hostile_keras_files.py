"""`.keras` and `.weights.h5` files of strangers: plain arrays and plain values, or not.

Nothing is built, and no other file is looked at, before the file is known to be an
encoder of this project.
"""

import argparse
import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from vpr_tf.cli.models import show
from vpr_tf.extraction import load_extractor
from vpr_tf.extraction.model_source import find_model
from vpr_tf.models import GeoLocalizationNet, load_weights, read_keras_file
from vpr_tf.models.convert import convert_to_torch

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


@pytest.fixture(scope="module")
def encoder():
    return GeoLocalizationNet("ResNet18", 8, last_stage=0)


@pytest.fixture(scope="module")
def members(encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "honest.keras"
    encoder.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def with_config(members, change):
    content = json.loads(members[CONFIG])
    change(content)
    return members | {CONFIG: json.dumps(content).encode()}


def refused(path, match):
    """Sees that a file is refused with one line that names it."""
    with pytest.raises(ValueError, match=match) as caught:
        read_keras_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_honest_file_is_read_as_keras_reads_it(encoder, members, tmp_path):
    read = read_keras_file(write(tmp_path / "a.keras", members))
    assert read.get_config() == encoder.get_config()
    for own, expected in zip(read.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(own, expected)


READERS = {
    "read_keras_file": read_keras_file,
    "load_extractor": lambda path: load_extractor(model=path),
    "load_weights": lambda path: load_weights(
        GeoLocalizationNet("ResNet18", 8, last_stage=0), str(path)
    ),
    "models show": lambda path: show.run(argparse.Namespace(model=str(path))),
    "convert": lambda path: convert_to_torch(
        path, path.with_name("a.safetensors"), None
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_looks_first(members, tmp_path, reader):
    path = write(tmp_path / "a.keras", members | {"assets/x": b"x"})
    with pytest.raises(ValueError, match=r"must hold config\.json"):
        READERS[reader](path)


@pytest.mark.parametrize(
    "name",
    ["../outside", "/tmp/outside", "assets/x", "model.weights.npz", "config.json/x"],
)
def test_other_members_are_refused(members, tmp_path, name):
    path = write(tmp_path / "a.keras", members | {name: b"x"})
    refused(path, r"must hold config.json, metadata.json and model.weights.h5, each")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.keras"]


def test_member_twice_is_refused(members, tmp_path):
    path = write(tmp_path / "a.keras", members)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Dup"):
        archive.writestr(CONFIG, members[CONFIG])
    refused(path, "each once")


def test_compressed_archive_is_refused(members, tmp_path):
    bomb = members | {WEIGHTS: members[WEIGHTS] + bytes(50_000_000)}
    path = write(tmp_path / "a.keras", bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1_000_000
    refused(path, "must not be compressed")


def test_large_config_is_not_parsed(members, tmp_path):
    large = members | {CONFIG: b" " * 2_000_000}
    refused(write(tmp_path / "a.keras", large), "config.json has 2,000,000 bytes")


OTHER_CLASSES = {
    "Functional": {"registered_name": None, "class_name": "Functional"},
    "Lambda": {"registered_name": "Lambda", "class_name": "Lambda"},
    "system": {"module": "os", "class_name": "system", "registered_name": "system"},
}


@pytest.mark.parametrize("name", OTHER_CLASSES)
def test_other_classes_are_refused(members, tmp_path, name):
    changed = with_config(members, lambda config: config.update(OTHER_CLASSES[name]))
    refused(write(tmp_path / "a.keras", changed), f"GeoLocalizationNet.*'{name}'")


WRONG_VALUES = {
    "backbone": (None, 5, "Unknown", ["ResNet18"], {"class_name": "Lambda"}),
    "descriptor_dim": ("8", 8.5, True, -1, 10**8, 10**30, [8]),
    "aggregation": (
        *(None, 3, "unknown", {"name": "netvlad", "num_clusters": 10**9}),
        *({"name": "rmac", "levels": 10**4}, {"name": "mixvpr", "mix_depth": 10**4}),
        {"name": "boq", "num_blocks": 10**4},
        {"name": "optimal_transport", "sinkhorn_iterations": 10**4},
    ),
    "whitening_dim": ("8", 0, 10**9, {}),
    "last_stage": ("0", -1, 99, 0.5),
    "image_shape": (None, 3, [], [None, None, 4], [10**6, 10**6, 3], ["a", None, 3]),
    "train_from_stage": ("0", -1, []),
    "bn_mode": (None, "none", 1),
    "name": (None, 5, "a/b", {}),
    "dtype": (5, "none", {"class_name": "DTypePolicy"}),
    "preprocessing": (5, "square", {"resize": "none"}, {"unknown": 1}),
    "unknown": (1,),
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG_VALUES.items() for value in values],
)
def test_wrong_arguments_are_refused(members, tmp_path, field, value):
    changed = with_config(members, lambda c: c["config"].__setitem__(field, value))
    path = write(tmp_path / "a.keras", changed)
    with pytest.raises(ValueError, match=r"a\.keras") as caught:
        read_keras_file(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def weights_with(members, change):
    """HDF5 weights after a change of the file."""
    file = io.BytesIO(members[WEIGHTS])
    with h5py.File(file, "r+") as h5:
        name = next(n for n, s in shapes(h5).items() if len(s) == 4)
        change(h5, name, h5[name][...])
    return file.getvalue()


def shapes(h5):
    found = {}
    h5.visititems(
        lambda name, item: (
            found.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None
        )
    )
    return found


def link_outside(h5, name, values):
    del h5[name]
    h5[name] = h5py.ExternalLink("elsewhere.h5", "/x")


def link_inside(h5, name, values):
    h5["own"] = values
    del h5[name]
    h5[name] = h5py.SoftLink("/own")


def store_outside(h5, name, values):
    del h5[name]
    h5.create_dataset(
        name, values.shape, "f4", external=[("elsewhere.raw", 0, values.nbytes)]
    )


def map_outside(h5, name, values):
    del h5[name]
    layout = h5py.VirtualLayout(values.shape, "f4")
    layout[...] = h5py.VirtualSource("elsewhere.h5", "x", values.shape)
    h5.create_virtual_dataset(name, layout)


def store_nothing(h5, name, values):
    del h5[name]
    h5.create_dataset(name, values.shape, "f4", chunks=True)


def compress(h5, name, values):
    del h5[name]
    h5.create_dataset(name, data=np.zeros((1000, 1000), "f4"), compression="gzip")


def store_text(h5, name, values):
    del h5[name]
    h5[name] = ["a", "b"]


def store_references(h5, name, values):
    h5["own"] = np.array([h5.ref], dtype=h5py.ref_dtype)


def remove(h5, name, values):
    del h5[name]


def reshape(h5, name, values):
    del h5[name]
    h5[name] = values.reshape(-1)


def extra_link(h5, name, values):
    h5["unused"] = h5py.ExternalLink("elsewhere.h5", "/x")


CHANGES = {
    link_outside: "ExternalLink",
    extra_link: "ExternalLink",
    link_inside: "SoftLink",
    store_outside: "lies in other files",
    map_outside: "lies in other files",
    store_nothing: "not stored",
    compress: "not stored",
    store_text: "an array of object",
    store_references: "an array of object",
    remove: "does not hold the weights|does not fit",
    reshape: "does not hold the weights|does not fit",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("kind", ["keras", "h5", "run"])
def test_weights_that_are_no_plain_arrays_are_refused(
    encoder, members, tmp_path, monkeypatch, change, kind
):
    with h5py.File(tmp_path / "elsewhere.h5", "w") as h5:
        h5["x"] = np.zeros((7, 7, 3, 64), "f4")
    (tmp_path / "elsewhere.raw").write_bytes(bytes(7 * 7 * 3 * 64 * 4))
    monkeypatch.chdir(tmp_path)
    content = weights_with(members, change)
    if kind == "keras":
        path = write(tmp_path / "a.keras", members | {WEIGHTS: content})
        refused(path, CHANGES[change])
    elif kind == "h5":
        path = tmp_path / "a.weights.h5"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=CHANGES[change]):
            load_weights(encoder, str(path))
    else:
        run = tmp_path / "run"
        (run / "best").mkdir(parents=True)
        (run / "best" / "encoder.weights.h5").write_bytes(content)
        (run / "config.yaml").write_text(
            "name: a\ndataset: {path: none}\nencoder: {backbone: ResNet18, "
            "descriptor_dim: 8, last_stage: 0, weights: none}\n"
        )
        with pytest.raises(ValueError, match=CHANGES[change]):
            load_extractor(model=run)


def test_weights_of_a_run_are_no_link(members, tmp_path):
    run = tmp_path / "run"
    (run / "best").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(members[WEIGHTS])
    (run / "best" / "encoder.weights.h5").symlink_to(tmp_path / "secret")
    (run / "config.yaml").write_text("name: a\ndataset: {path: none}\n")
    with pytest.raises(ValueError, match="symbolic link"):
        load_extractor(model=run)
    (run / "config.yaml").rename(tmp_path / "elsewhere")
    (run / "config.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="symbolic link"):
        load_extractor(model=run)


def test_run_whose_config_asks_for_too_much_is_refused(members, tmp_path):
    run = tmp_path / "run"
    (run / "best").mkdir(parents=True)
    (run / "best" / "encoder.weights.h5").write_bytes(members[WEIGHTS])
    (run / "config.yaml").write_text(
        "name: a\ndataset: {path: none}\nencoder: {backbone: ResNet18, "
        "descriptor_dim: 1000000, aggregation: {name: netvlad}, last_stage: 0, "
        "weights: none}\n"
    )
    with pytest.raises(ValueError, match="must hold all weights of the encoder"):
        load_extractor(model=run)


@pytest.mark.parametrize("place", [CONFIG, METADATA, WEIGHTS])
def test_damaged_bytes_are_found_by_their_checksum(members, tmp_path, place):
    path = write(tmp_path / "a.keras", members)
    content = path.read_bytes()
    start = content.index(members[place]) + len(members[place]) // 2
    path.write_bytes(
        content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :]
    )
    if place == METADATA:  # nothing of it is used
        return
    refused(path, "not a readable")
    if place == CONFIG:
        assert not find_model(path).says_preprocessing
