import os

import numpy as np
import pytest

from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from vpr_tf.photos import (
    PhotoSourceError,
    check_rejected_fraction,
    format_image_name,
    image_folder,
    named_numbers,
    photo_folder,
    scan_named_photos,
    scan_photos,
)
from vpr_tf.photos.file_kinds import SkippedFiles

SF_XL = format_image_name(
    utm_east_m=543000.5,
    utm_north_m=4178206.25,
    zone_number=10,
    zone_letter="S",
    latitude=37.75015,
    longitude=-122.51188,
    heading_deg=90,
    timestamp="201805",
)


def scan(source):
    return scan_photos(source, progress=False)


@pytest.fixture
def folder(tmp_path):
    write_photo(tmp_path / "b" / "exif.jpg", gps=gps_of(-33.85, 151.2), orientation=6)
    write_photo(tmp_path / "a" / SF_XL, size=(20, 30))
    return tmp_path


def test_positions_come_from_names_and_exif(folder):
    found = scan(folder)
    assert found.photos.keys.tolist() == [f"a/{SF_XL}".encode(), b"b/exif.jpg"]
    positions = found.photos.positions
    assert positions.utm_zone.tolist() == [10, -56]
    assert positions.utm_east_cm[0] == 54300050
    np.testing.assert_allclose(positions.latitude_deg, [37.75015, -33.85], atol=1e-6)
    assert found.photos.heading_deg.tolist() == [90, -1]
    assert found.photos.timestamps.tolist() == [b"201805", b""]
    assert found.heights.tolist() == [20, 32]
    assert found.exif_orientations.tolist() == [1, 6]
    assert found.rejected == ()


def test_files_that_cannot_be_used_are_listed_and_the_others_go_on(folder):
    whole = (folder / "b" / "exif.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    write_photo(folder / "nowhere.png")
    write_photo(folder / ".thumbnails" / "hidden.jpg", gps=gps_of(1.0, 1.0))
    (folder / "notes.txt").write_text("hello")
    found = scan(folder)
    assert len(found) == 2
    reasons = dict(found.rejected)
    assert "truncated" in reasons["truncated.jpg"]
    assert "zero bytes" in reasons["empty.jpg"]
    assert "not a JPEG" in reasons["text.jpg"]
    assert "HEIC" in reasons["phone.heic"]
    assert "no EXIF GPS data" in reasons["nowhere.png"]
    assert len(reasons) == 5
    assert found.skipped == SkippedFiles(num_hidden=1, num_other=1)


def test_files_without_a_name_of_an_image_are_known_by_their_content(folder):
    (folder / "IMG_1").write_bytes((folder / "b" / "exif.jpg").read_bytes())
    (folder / "sidecar.foo").write_text("<x/>")
    (folder / "page.jpg").write_text("<html>")
    found = scan(folder)
    assert b"IMG_1" in found.paths.tolist()
    assert found.skipped == SkippedFiles(num_other=1)
    assert [path for path, _ in found.rejected] == ["page.jpg"]
    named = scan_named_photos([folder / "sidecar.foo", folder])
    assert [path for path, _ in named.rejected] == [
        str(folder / "sidecar.foo"),
        str(folder / "page.jpg"),
        str(folder / "sidecar.foo"),
    ]


def test_table_of_photos(folder):
    table = folder / "photos.csv"
    table.write_text(
        "path,latitude,longitude,heading_deg,timestamp\n"
        "b/exif.jpg,37.7,-122.5,45,2019\n"
        f"a/{SF_XL},95,-122.5,45,2019\n"
        "b/exif.jpg,37.8,-122.5,45,2019\n"
        "b/gone.jpg,37.8,-122.5,45,2019\n"
    )
    found = scan(table)
    assert found.photos.keys.tolist() == [b"b/exif.jpg"]
    assert found.photos.positions.latitude_deg.tolist() == [37.7]
    assert found.file(0) == str(folder / "b/exif.jpg")
    reasons = [reason for _, reason in found.rejected]
    assert [reason.split(":")[0] for reason in reasons] == [
        "line 3",
        "line 5",
        "path is in the table more than once",
    ]


def test_list_beside_a_folder_says_what_the_photos_are(folder):
    listed = folder.with_name(f"{folder.name}_images_paths.txt")
    listed.write_text("b/exif.jpg\n\nb/gone.jpg\n.hidden.jpg\n")
    found = scan(folder)
    assert found.paths.tolist() == [b"b/exif.jpg"]
    assert [path for path, _ in found.rejected] == ["b/gone.jpg"]
    assert "No such file" in found.rejected[0].reason
    assert found.listed_in == listed
    assert found.skipped == SkippedFiles(num_hidden=1)
    assert len(scan_named_photos([folder])) == 1
    listed.write_text("b/exif.jpg\n./b/exif.jpg\n")
    with pytest.raises(PhotoSourceError, match=r"names b/exif.jpg more than once"):
        scan(folder)
    listed.unlink()
    assert len(scan(folder)) == 2


def test_a_list_of_many_names_one_twice_among_equal_hashes(folder, monkeypatch):
    listed = folder.with_name(f"{folder.name}_images_paths.txt")
    listed.write_text("".join(f"{number}.jpg\n" for number in range(50)))
    monkeypatch.setattr(image_folder, "hash", len, raising=False)
    walked = image_folder.walk_path_list(listed, folder)
    assert [name for name, _ in walked] == [f"{number}.jpg" for number in range(50)]
    with listed.open("a") as file:
        file.write("./33.jpg\n")
    with pytest.raises(PhotoSourceError, match=r"names 33.jpg more than once"):
        next(image_folder.walk_path_list(listed, folder))


@pytest.mark.parametrize("rows_of_a_part", [1, 1000])
def test_photos_that_come_in_parts_are_those_of_one(
    folder, monkeypatch, rows_of_a_part
):
    monkeypatch.setattr(photo_folder, "_CHUNK_ENTRIES", 1)
    monkeypatch.setattr(photo_folder, "_ROWS_OF_A_PART", rows_of_a_part)
    (folder / "c.jpg").write_bytes(b"no photo")
    write_photo(folder / "longer than the others" / SF_XL, size=(40, 30))
    photos = scan(folder)
    assert photos.paths.tolist() == [
        f"a/{SF_XL}".encode(),
        b"b/exif.jpg",
        f"longer than the others/{SF_XL}".encode(),
    ]
    assert photos.heights[[0, 2]].tolist() == [20, 40]
    assert len(photos.rejected) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_list_in_another_encoding_is_named_with_the_remedy(folder, encoding):
    listed = folder.with_name(f"{folder.name}_images_paths.txt")
    listed.write_bytes("b/exif.jpg\n".encode(encoding))
    named = encoding[:6].upper()
    with pytest.raises(PhotoSourceError, match=f"is in {named}.*iconv -f {named}.*txt"):
        scan(folder)


def test_list_that_leads_out_of_the_folder_is_refused(folder):
    listed = folder.with_name(f"{folder.name}_images_paths.txt")
    listed.write_text("b/exif.jpg\n../db/0.jpg\n")
    with pytest.raises(
        PhotoSourceError, match=r"names \.\./db/0\.jpg, which is outside"
    ):
        scan(folder)


def test_named_photos_need_no_position(folder):
    (folder / "text.jpg").write_text("hello")
    names = [folder / "text.jpg", folder / "gone.jpg", folder / "b"]
    found = scan_named_photos([write_photo(folder / "c.jpg"), *names])
    assert found.paths.tolist() == [
        str(folder / name).encode() for name in ("c.jpg", "b/exif.jpg")
    ]
    assert found.photos.positions.known.tolist() == [False, True]
    assert [path for path, _ in found.rejected] == [
        str(folder / "text.jpg"),
        str(folder / "gone.jpg"),
    ]


def test_photos_are_numbered_among_those_that_cannot_be_used(tmp_path):
    write_photo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_text("hello")
    (tmp_path / "notes").write_text("no photo, by name and content")
    write_photo(tmp_path / "c.jpg")
    named = [tmp_path / "c.jpg", tmp_path / "gone.jpg", tmp_path, tmp_path / "c.jpg"]
    found = scan_named_photos(named)
    assert [path[-5:] for path in found.paths.tolist()] == [
        *(b"c.jpg", b"a.jpg", b"c.jpg", b"c.jpg")
    ]
    assert named_numbers(named, found) == [0, 2, 4, 5]
    (tmp_path / "a.jpg").unlink()
    assert named_numbers(named, found) == [0, 1, 3, 4]
    assert named_numbers([], scan_named_photos([])) == []


def test_the_time_of_a_photo_without_a_position_is_known(tmp_path):
    write_photo(tmp_path / "a.jpg", taken="2019:06:30 12:34:56")
    write_photo(tmp_path / "b.jpg", taken="2019:02:30 10:00:00")
    found = scan_named_photos([tmp_path])
    assert found.photos.timestamps.tolist() == [b"20190630_123456", b""]
    assert not found.rejected


def test_without_positions_only_what_cannot_be_is_dropped(tmp_path):
    good = gps_of(37.7, -122.5, heading_deg=400.0)
    write_photo(tmp_path / "a.jpg", gps=good, taken="2019:06:30 12:34:56")
    good = gps_of(37.7, -122.5, heading_deg=90.0)
    write_photo(tmp_path / "b.jpg", gps=good, taken="2019:02:30 10:00:00")
    write_photo(tmp_path / "c.jpg", gps=gps_of(0.0, 0.0))
    write_photo(tmp_path / "d.jpg")
    write_photo(tmp_path / SF_XL.replace("@090@", "@361@"))
    write_photo(tmp_path / SF_XL.replace("@10@S@", "@11@S@"))
    found = scan_photos(tmp_path, needs_position=False, progress=False)
    known = found.photos.positions.known.tolist()
    assert known == [True, False, True, True, False, False]
    assert found.photos.heading_deg.tolist() == [-1, 90, -1, 90, -1, -1]
    times = [b"201805", b"201805", b"20190630_123456", b"", b"", b""]
    assert found.photos.timestamps.tolist() == times
    assert found.rejected == ()
    assert [path[:1] for path, _ in found.dropped] == ["@", "@", "a", "b", "c"]
    reasons = " ".join(reason for _, reason in found.dropped)
    for text in ("361 is imposs", "contradict", "EXIF heading_deg 400", "2019:02:30"):
        assert text in reasons
    assert "0, 0, which is written" in found.dropped[-1].reason


def test_table_without_positions_drops_only_what_cannot_be(tmp_path):
    for name in "abc":
        write_photo(tmp_path / f"{name}.jpg")
    table = tmp_path / "t.csv"
    table.write_text(
        "path,lat,lon,heading,time\na.jpg,37.7,-122.5,500,2019-13\n"
        "b.jpg,-122.5,37.7,10,2019\nc.jpg,,,10,2019\n"
    )
    found = scan_photos(table, needs_position=False, progress=False)
    assert found.photos.positions.known.tolist() == [True, False, False]
    (first, why), (second, swapped) = found.dropped
    assert (first, second) == ("a.jpg", "b.jpg")
    assert why.startswith("line 2: heading_deg 500 is impossible")
    assert "timestamp 2019-13 does not exist" in why
    assert "longitude swapped?" in swapped


def test_key_prefix_leaves_the_files(folder):
    found = scan(folder).with_key_prefix("monday/")
    assert found.photos.keys[1] == b"monday/b/exif.jpg"
    assert found.file(1) == str(folder / "b/exif.jpg")


@pytest.mark.parametrize("name", ["gone", "gone.csv"])
def test_missing_source(tmp_path, name):
    with pytest.raises(PhotoSourceError, match=r"No .* of photos at .*gone"):
        scan(tmp_path / name)


def test_nothing_usable_names_the_first(tmp_path):
    with pytest.raises(PhotoSourceError, match="holds no photos"):
        scan(tmp_path)
    write_photo(tmp_path / "a.jpg")
    with pytest.raises(PhotoSourceError, match=r"(?s)None of the 1 .*a\.jpg: no pos"):
        scan(tmp_path)


def test_link_to_a_parent_is_named(folder):
    (folder / "b" / "loop").symlink_to(folder)
    with pytest.raises(PhotoSourceError, match="loop leads back"):
        scan(folder)


def test_too_many_rejected_stop(folder):
    (folder / "text.jpg").write_text("hello")
    found = scan(folder)
    check_rejected_fraction(found, 1, 0.5, folder)
    with pytest.raises(PhotoSourceError, match=r"(?s)1 of 3 photos.*text\.jpg: not a"):
        check_rejected_fraction(found, 1, 0.1, folder)


def test_identity_follows_the_files(folder):
    before = scan(folder).identity()
    assert scan(folder).identity() == before
    os.utime(folder / "b" / "exif.jpg", ns=(1, 1))
    assert scan(folder).identity() != before
