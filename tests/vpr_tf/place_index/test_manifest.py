import hashlib
import json

import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import (
    ENCODER,
    add,
    create,
    make_batch,
    manifest_of,
    remove,
)
from vpr_tf.place_index import (
    PlaceIndex,
)
from vpr_tf.place_index.manifest import write_manifest
from vpr_tf.search import IndexMismatchError


def edit(folder, change, **json_options):
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, **json_options))


def test_manifest_survives_writing_and_reading(folder):
    add(folder, *make_batch(3, first=40))
    remove(folder, ["1.jpg"])
    manifest = manifest_of(folder)
    assert (manifest.num_photos, manifest.num_removed) == (42, 1)
    assert (manifest.kind, manifest.metric) == ("exact", "squared_l2")
    assert (manifest.descriptor_dim, manifest.dtype) == (16, "float32")
    assert manifest.encoder == ENCODER
    write_manifest(folder, manifest)
    assert manifest_of(folder) == manifest


def test_layout_of_the_text_does_not_matter(folder):
    manifest = manifest_of(folder)
    edit(folder, lambda content: None, sort_keys=True)
    assert manifest_of(folder) == manifest


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(num_photos=41),
        lambda content: content.update(num_photos=40.0),
        lambda content: content.update(note="mine"),
        lambda content: content["segments"][0].update(num_rows=39),
        lambda content: content["encoder"].update(fingerprint="another"),
        lambda content: content["segments"].append(content["segments"][0]),
        lambda content: content.pop("recall"),
        lambda content: content.update(sha256="0" * 64),
    ],
)
def test_edit_by_hand_is_refused(folder, change):
    edit(folder, change)
    message = r"manifest\.json was edited by hand or is damaged: .* Undo the edit"
    with pytest.raises(IndexMismatchError, match=message):
        PlaceIndex.open(folder)
    with pytest.raises(IndexMismatchError, match=message):
        add(folder, *make_batch(3, first=40))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"3", b"\xff", b"{}", b"[" * 100_000, b'{"sha256": 1}']
)
def test_other_text_is_refused(folder, text):
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(IndexMismatchError, match="not the JSON that was written"):
        manifest_of(folder)


def _moved(content):
    return {"../../../a": content["segments"][0]["files"]["descriptors.npy"]}


def _with_segment_twice(content):
    content["segments"] *= 2
    content["num_photos"] *= 2
    content["segments"][1] = {**content["segments"][0], "kind": "exact"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(num_photos="40"), "`num_photos` must be a whole number"),
        (lambda c: c.update(num_removed=-1), "is -1"),
        (lambda c: c["segments"][0].pop("files"), "lacks files"),
        (lambda c: c["segments"][0].update(folder="../x"), "no name of a former"),
        (lambda c: c["segments"][0].update(folder="segments/2"), "no name of a former"),
        (lambda c: c["segments"][0]["files"].update(_moved(c)), "no path inside the"),
        (lambda c: c.update(segments=[]), "it has 0 rows"),
        (lambda c: c.update(num_photos=41), "not 41 photos"),
        (lambda c: c.update(num_photos=39, num_removed=1), "removed_file is False"),
        (lambda c: c["segments"].append(c["segments"][0]), "not 40 photos"),
        (_with_segment_twice, "a segment is named twice"),
        (lambda c: c.update(generation=0), "no name of a former change"),
        (lambda c: c.update(kind="scann"), "kind is 'scann'"),
        (lambda c: c.update(dtype="float64"), "dtype must be float32 or float16"),
        (lambda c: c.update(descriptor_dim=8), "descriptor_dim is 8"),
        (lambda c: c.update(metric="cosine"), "metric is 'cosine'"),
        (lambda c: c.update(format_version=3), "format_version is 3"),
        (lambda c: c.update(format_version=4), "format_version is 4"),
        (lambda c: c.update(licence="CC0"), "format_version is 1"),
        (lambda c: c.update(format_version=4, licence="a\nb"), "`licence` must be one"),
        (lambda c: c["encoder"].update(file="encoder/a"), "no file of the encoder"),
        (lambda c: c["recall"].update(recall_at_1=1.5), "recall is"),
        (lambda c: c["encoder"].update(resize=4), r"`encoder\.preprocessing\.resize`"),
        (lambda c: c.update(recall=[1]), "`recall` must be fields by name"),
    ],
)
def test_wrong_values_under_a_right_checksum_are_refused(folder, change, message):
    content = json.loads((folder / "manifest.json").read_text())
    del content["sha256"]
    change(content)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(
        IndexMismatchError, match=f"though its checksum fits: .*{message}"
    ):
        manifest_of(folder)


def test_checksum_cannot_be_left_out(folder):
    edit(folder, lambda content: content.pop("sha256"))
    with pytest.raises(IndexMismatchError, match=r"KeyError\('sha256'\)"):
        manifest_of(folder)


def test_newer_format_is_refused(folder):
    edit(folder, lambda content: content.update(format_version=6))
    with pytest.raises(
        IndexMismatchError, match="format_version 6; this program reads 1, 2, 3, 4, 5"
    ):
        manifest_of(folder)


def test_same_photos_give_the_same_bytes(tmp_path):
    for name in ("first", "second"):
        create(tmp_path / name, *make_batch(9))
        add(tmp_path / name, *make_batch(3, first=9))
    files = [
        path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*")
    ]
    for file in files:
        first, second = tmp_path / "first" / file, tmp_path / "second" / file
        assert first.is_dir() or first.read_bytes() == second.read_bytes()


def test_credit_is_kept_through_changes_and_absent_without(tmp_path, folder):
    assert "licence" not in (folder / "manifest.json").read_text()
    credit = {"attribution": "Mapillary", "licence": "CC BY-SA 4.0"}
    index = PlaceIndex.create(tmp_path / "credited", np.eye(3), **credit)
    index.add(np.eye(3) + 1)
    index.remove(["00000000"])
    index.compact()
    index.set_localization(None)
    manifest = PlaceIndex.open(tmp_path / "credited").manifest
    assert (manifest.attribution, manifest.licence) == tuple(credit.values())
    assert '"format_version": 4' in (tmp_path / "credited/manifest.json").read_text()


@pytest.mark.parametrize("text", ["", " ", "a\nb", "a" * 501, "\x1b[2J"])
def test_credit_of_more_than_a_line_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match="`licence` must be one line"):
        PlaceIndex.create(tmp_path / "index", np.eye(3), licence=text)
    assert not (tmp_path / "index").exists()
