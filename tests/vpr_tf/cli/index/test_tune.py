import json
import shutil

from tests.command_line import on_index
from tests.vpr_tf.photos.photo_writer import write_photo


def test_photos_are_queries(built, tmp_path, capsys):
    index = shutil.copytree(built / "city.index", tmp_path / "city.index")
    photos = tmp_path / "queries"
    write_photo(photos / "a.png", (200, 30, 30))
    write_photo(photos / "b.png", (30, 200, 30))
    (photos / "c.png").write_text("no photo")
    assert on_index("tune", index, "--query-photos", photos) == 0
    captured = capsys.readouterr()
    assert "* exact" in captured.out
    assert "exact search is kept. The index used it already." in captured.out
    assert "c.png" in captured.err
    assert "[1/1] exact: building" in captured.err
    written = json.loads((index / "tuning" / "results.json").read_text())
    assert written["conditions"]["origin_of_queries"] == "2 photos of queries"
    assert written["chosen"]["recalls"] == {"1": 1.0, "10": 1.0, "20": 1.0}
    assert on_index("verify", index) == 0


def test_folder_without_photos_is_refused(built, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    output = ["--output", tmp_path / "results"]
    arguments = ["tune", built / "city.index", *output, "--dry-run"]
    assert on_index(*arguments, "--query-photos", tmp_path / "empty") == 2
    assert "No photos in" in capsys.readouterr().err
    assert on_index(*arguments, "--sample", "3", "--queries", "q.npy") == 2
