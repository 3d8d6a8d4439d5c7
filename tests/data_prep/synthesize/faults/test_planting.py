import csv
import itertools

import numpy as np
import pytest
from PIL import Image

from data_prep.synthesize.faults import FAULTS, LABELS_NAME, PHOTOS_NAME, plant_faults
from data_prep.synthesize.faults.drives import SPEED_M_PER_S, chain_drives, seconds_of
from data_prep.synthesize.faults.plan import COPIES, DRIVE_FAULTS, plan_faults
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoTable, format_image_name, scan_photos

STEP_M = 9.0


def street_grid(num_rows, num_columns):
    rows, columns = np.mgrid[:num_rows, :num_columns].reshape(2, -1)
    return Positions.from_utm(
        500_000 + STEP_M * columns, 4_000_000 + 70 * rows, np.full(rows.size, 32)
    )


def table(num_rows=16, num_columns=40):
    positions = street_grid(num_rows, num_columns)
    count = len(positions)
    return PhotoTable(
        np.array([b"%d.jpg" % i for i in range(count)]),
        positions,
        np.arange(count, dtype=np.float32) % 300,
        np.full(count, b"201906"),
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng, source = np.random.default_rng(0), table(4, 15)
    for row in range(len(source)):
        name = format_image_name(
            utm_east_m=source.positions.utm_east_cm[row] / 100,
            utm_north_m=source.positions.utm_north_cm[row] / 100,
            zone_number=32,
            zone_letter="S",
            latitude=float(source.positions.latitude_deg[row]),
            longitude=float(source.positions.longitude_deg[row]),
            pano_id=f"p{row}",
            heading_deg=int(source.heading_deg[row]),
            timestamp="201906",
        )
        pixels = rng.uniform(0, 255, (24, 24, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return scan_photos(folder, progress=False)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_drives_go_ahead_and_share_no_photo():
    positions = street_grid(6, 40)
    drives = chain_drives(
        positions, np.zeros(len(positions)), 120, np.random.default_rng(0)
    )
    rows = np.concatenate(drives)
    assert 100 <= len(rows) <= 150
    assert len(np.unique(rows)) == len(rows)
    for drive in drives:
        steps = np.diff(positions.utm_cm[drive] / 100, axis=0)
        assert (np.einsum("ij,ij->i", steps[1:], steps[:-1]) > 0).all()
        seconds = np.diff(seconds_of(positions.take(drive)))
        assert (np.hypot(*steps.T) / seconds <= SPEED_M_PER_S).all()


def test_plan_plants_every_fault_and_keeps_every_photo():
    source = table()
    planned = plan_faults(source, 0.4, seed=1)
    found = {photo.fault for photo in planned}
    assert found == {"", *FAULTS}
    originals = [photo.row for photo in planned if not photo.is_copy]
    assert sorted(originals) == list(range(len(source)))
    share = np.mean([photo.fault != "" for photo in planned])
    assert 0.2 < share < 0.5


def test_plan_faults_of_drives_are_of_all_their_photos():
    planned = plan_faults(table(), 0.4, seed=1)
    by_folder = itertools.groupby(planned, lambda photo: photo.folder)
    for folder, group in by_folder:
        faults = {photo.fault for photo in group}
        if faults & set(DRIVE_FAULTS):
            assert folder.startswith("drive_")
            assert len(faults) == 1


def test_plant_faults_writes_photos_with_labels(photos, tmp_path):
    count = plant_faults(photos, tmp_path / "a", 0.4, seed=0)
    with (tmp_path / "a" / LABELS_NAME).open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = {row["photo"]: row["fault"] for row in rows}
    for row in rows:
        assert bool(row["copy_of"]) == (row["fault"] in COPIES)
        if row["fault"] == "exact_copy":
            one, other = (
                (tmp_path / "a" / PHOTOS_NAME / row[name]).read_bytes()
                for name in ("photo", "copy_of")
            )
            assert one == other
    assert count == len(labels) >= 10
    scanned = scan_photos(tmp_path / "a" / PHOTOS_NAME, progress=False)
    assert set(labels) <= {path.decode() for path in scanned.paths}
    headings = dict(zip(scanned.paths, scanned.photos.heading_deg, strict=True))
    for name, fault in labels.items():
        assert (headings[name.encode()] < 0) == (fault == "missing_heading")


def test_plant_faults_same_bytes_again_and_after_an_interruption(photos, tmp_path):
    plant_faults(photos, tmp_path / "a", 0.3, seed=0)
    plant_faults(photos, tmp_path / "b", 0.3, seed=0)
    written = contents(tmp_path / "a")
    assert written == contents(tmp_path / "b")
    for name in list(written)[::3]:
        if name.startswith(PHOTOS_NAME):
            (tmp_path / "a" / name).unlink()
    plant_faults(photos, tmp_path / "a", 0.3, seed=0)
    assert contents(tmp_path / "a") == written
    with pytest.raises(ValueError, match="other planted faults"):
        plant_faults(photos, tmp_path / "a", 0.3, seed=1)


def test_plant_faults_refuses_other_folders_and_shares(photos, tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match="new or empty folder"):
        plant_faults(photos, tmp_path, 0.3, seed=0)
    with pytest.raises(ValueError, match=r"at most 0\.5"):
        plant_faults(photos, tmp_path / "new", 0.6, seed=0)
