"""No command follows a link in an index, or touches what is not of the index."""

import contextlib
import dataclasses
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import (
    add,
    create_with_encoder,
    make_batch,
    manifest_of,
    remove,
    verify,
)
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.manifest import write_manifest
from vpr_tf.search import IndexMismatchError, RetrievalError
from vpr_tf.stored_files import StoredFile

SEGMENT = "segments/00000001"


def _keep_encoder(folder):
    folder.mkdir()
    (folder / "encoder.keras").write_bytes(b"weights")
    return folder / "encoder.keras"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An index with all kinds of files: two segments, removed rows, an encoder."""
    folder = tmp_path_factory.mktemp("whole") / "index"
    create_with_encoder(folder, *make_batch(40), _keep_encoder)
    add(folder, *make_batch(3, first=40), recall_queries=0)
    remove(folder, ["1.jpg"], recall_queries=0)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "index")


def _search(folder):
    with PlaceIndex.open(folder) as index:
        index.search(make_batch(1)[0], 3)


def _encoder_path(folder):
    with PlaceIndex.open(folder) as index:
        index.encoder_path.read_bytes()


def _verify(folder):
    report = verify(folder)
    if not report.is_intact:
        raise IndexMismatchError(str(report.problems))


READERS = {"search": _search, "encoder": _encoder_path, "verify": _verify}
WRITERS = {
    "add": lambda folder: add(folder, *make_batch(2, first=50)),
    "remove": lambda folder: remove(folder, ["2.jpg"]),
    "compact": lambda folder: PlaceIndex(folder).compact(),
    "calibrate": lambda folder: PlaceIndex(folder).set_localization(None),
}
NAMES = [
    *("manifest.json", ".lock", "removed-00000003.npy", "encoder", "segments"),
    *("encoder/encoder.keras", SEGMENT, "segments/00000002", f"{SEGMENT}/photos"),
    *(f"{SEGMENT}/search", f"{SEGMENT}/descriptors.npy", f"{SEGMENT}/photos/key.npy"),
    f"{SEGMENT}/row_checksums.npy",
]
# What a command does not open: it may do its work, and leaves the link alone.
_ENCODER = {"encoder", "encoder/encoder.keras"}
UNREAD = {
    "search": {".lock", *_ENCODER},
    "encoder": {".lock"},
    "add": _ENCODER,
    "remove": _ENCODER,
    "compact": {*_ENCODER, f"{SEGMENT}/search"},
    "calibrate": {*NAMES} - {"manifest.json", ".lock", "segments"},
}


def _contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("command", [*READERS, *WRITERS])
@pytest.mark.parametrize("name", NAMES)
def test_no_command_follows_a_link(folder, tmp_path, command, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.move(folder / name, outside / "held")
    (folder / name).symlink_to(outside / "held")
    (outside / "canary").write_text("mine")
    before = _contents(outside)
    run = (READERS | WRITERS)[command]
    if name in UNREAD.get(command, set()):
        run(folder)
    else:
        with pytest.raises(RetrievalError, match="symbolic link"):
            run(folder)
    assert _contents(outside) == before


@pytest.mark.parametrize("command", WRITERS)
def test_a_link_in_the_place_of_a_new_file_is_not_followed(folder, tmp_path, command):
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_text("mine")
    for name in ("removed-00000004.npy", "segments/00000004"):
        (folder / name).symlink_to(canary / "file" if "npy" in name else canary)
    with contextlib.suppress(RetrievalError):
        WRITERS[command](folder)
    assert _contents(canary) == {"file": b"mine"}


@pytest.mark.parametrize("command", WRITERS)
def test_files_of_others_stay_and_are_named(folder, tmp_path, command):
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "photo.jpg").touch()
    others = ["notes.txt", "removed-mine.npy", "segments/old", f"{SEGMENT}/note"]
    for name in others:
        (folder / name).write_text("mine")
    (folder / "segments" / "photos").mkdir()
    (folder / "segments" / "photos" / "1.jpg").touch()
    (folder / "link").symlink_to(canary)
    (folder / "tuning").mkdir()
    (folder / "tuning" / "results.json").touch()
    named = {*others, "segments/photos/1.jpg", "link"}
    assert set(verify(folder).problems) == named
    WRITERS[command](folder)
    kept = named - ({f"{SEGMENT}/note"} if command == "compact" else set())
    assert set(verify(folder).problems) == kept
    assert (canary / "photo.jpg").exists()
    assert (folder / "segments" / "photos" / "1.jpg").exists()


@pytest.mark.parametrize("name", ["", "pareto.png", "unfinished"])
def test_results_of_tuning_are_written_through_no_link(folder, tmp_path, name):
    canary = tmp_path / "canary"
    canary.mkdir()
    path = folder / "tuning" / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(canary)
    with pytest.raises(ValueError, match="symbolic link"):
        PlaceIndex(folder).tune()
    assert _contents(canary) == {}


def test_what_a_killed_change_left_is_no_damage(folder):
    (folder / "segments" / "00000009").mkdir()
    (folder / "segments" / "00000009" / "descriptors.npy").touch()
    (folder / "removed-00000009.npy").touch()
    (folder / ".partial-0123ab-manifest.json").touch()
    assert verify(folder).is_intact
    remove(folder, ["2.jpg"])
    left = {path.name for path in folder.rglob("*")}
    assert not left & {
        *("00000009", "removed-00000009.npy", ".partial-0123ab-manifest.json")
    }


def _rewrite(folder, **changes):
    """Writes a manifest with valid checksums after its files were changed."""
    manifest = replace(manifest_of(folder), **changes)
    first = manifest.segments[0]
    files = {
        name: StoredFile.from_path(folder / first.folder / name)
        for name in first.files
        if (folder / first.folder / name).exists()
    }
    segments = (replace(first, files=files), *manifest.segments[1:])
    removed = StoredFile.from_path(folder / manifest.removed_file)
    write_manifest(folder, replace(manifest, segments=segments, removed=removed))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("photos/key.npy", np.array([b"a"] * 39)),
        ("photos/key.npy", np.arange(40)),
        ("photos/utm_zone.npy", np.full(40, 99, np.int16)),
        ("photos/latitude_deg.npy", np.full(40, 95.0)),
        ("photos/heading_deg.npy", np.full(40, np.inf, np.float32)),
        ("photos/utm_east_cm.npy", np.zeros(40)),
        ("photos/utm_east_cm.npy", None),
        ("row_checksums.npy", np.zeros(40)),
        ("row_checksums.npy", b"no array"),
        ("descriptors.npy", np.zeros((40, 8), np.float32)),
        ("../../removed-00000003.npy", np.array([40.0])),
        ("../../removed-00000003.npy", np.array([43])),
        ("../../removed-00000003.npy", np.array([-1])),
        ("../../removed-00000003.npy", np.array([1, 2])),
    ],
)
def test_arrays_that_cannot_be_are_refused(folder, name, values):
    path = folder / SEGMENT / name
    path.unlink()
    if isinstance(values, bytes):
        path.write_bytes(values)
    elif values is not None:
        np.save(path, values)
    _rewrite(folder)
    with pytest.raises(IndexMismatchError, match=r"checksum fits|does not name|2688"):
        PlaceIndex.open(folder)


def test_repeated_keys_are_found_by_verify(folder):
    path = folder / SEGMENT / "photos" / "key.npy"
    keys = np.load(path)
    keys[3] = keys[2]
    np.save(path, keys)
    _rewrite(folder)
    assert list(verify(folder).problems) == ["manifest.json"]


def test_order_of_removed_rows(folder):
    path = folder / "removed-00000003.npy"
    np.save(path, np.array([2, 1]))
    _rewrite(folder, num_removed=2, num_photos=41)
    with pytest.raises(IndexMismatchError, match="rows below"):
        PlaceIndex.open(folder)


def test_manifest_is_unchanged_by_rewriting(folder):
    before = manifest_of(folder)
    _rewrite(folder)
    assert dataclasses.asdict(manifest_of(folder)) == dataclasses.asdict(before)
