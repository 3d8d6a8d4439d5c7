import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import create, make_batch, make_photos
from vpr_tf.photos.schema import TABLE_COLUMNS
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.photo_columns import read_photos, write_photos
from vpr_tf.search import IndexMismatchError

NUM_PHOTOS = 6


@pytest.fixture
def folder(tmp_path):
    write_photos(tmp_path / "photos", make_photos(NUM_PHOTOS))
    return tmp_path / "photos"


def test_columns_are_read_as_they_were_written(folder):
    found = read_photos(folder, NUM_PHOTOS).columns()
    for name, values in make_photos(NUM_PHOTOS).columns().items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("name", TABLE_COLUMNS)
@pytest.mark.parametrize(
    "change",
    [
        lambda values: values[:-1],
        lambda values: values[:0],
        lambda values: values[:, None],
        lambda values: values[0],
        lambda values: np.zeros(len(values), "<c16"),
        lambda values: np.zeros(len(values), "<U3"),
        lambda values: values.astype("S9" if values.dtype != "S9" else "S8").astype(
            object
        ),
    ],
)
def test_other_types_and_shapes_are_refused(folder, name, change):
    file = folder / f"{name}.npy"
    values = change(np.load(file))
    np.save(file, values, allow_pickle=True)
    with pytest.raises(IndexMismatchError, match=rf"{name}\.npy cannot be part"):
        read_photos(folder, NUM_PHOTOS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latitude_deg", 90.5),
        ("latitude_deg", np.nan),
        ("longitude_deg", -np.inf),
        ("longitude_deg", 181),
        ("utm_zone", 61),
        ("utm_zone", -(2**15)),
        ("utm_east_cm", -(2**63)),
        ("utm_north_cm", 2**62),
        ("heading_deg", -0.5),
        ("heading_deg", np.nan),
        ("key", b""),
        ("key", b"\xff"),
        ("timestamp", b"\xc3"),
    ],
)
def test_what_no_photo_can_have_is_refused(folder, name, value):
    file = folder / f"{name}.npy"
    values = np.load(file)
    values[4] = value
    np.save(file, values)
    with pytest.raises(IndexMismatchError, match=rf"{name}\.npy cannot be part"):
        read_photos(folder, NUM_PHOTOS)


@pytest.mark.parametrize("rows", [[3, 1], [1, 1], [-1, 2], [1, 40], [1], [1.0, 2.0]])
def test_removed_rows_must_be_rows(tmp_path, monkeypatch, rows):
    index = create(tmp_path / "index", *make_batch(40))
    index.remove(["1.jpg", "3.jpg"])
    (file,) = (tmp_path / "index").glob("removed-*.npy")
    np.save(file, np.array(rows))
    monkeypatch.setattr(  # as if the checksum fitted
        "vpr_tf.place_index.index_state.check_file", lambda *file: None
    )
    with pytest.raises(IndexMismatchError, match="cannot be part of an index"):
        PlaceIndex.open(tmp_path / "index")
