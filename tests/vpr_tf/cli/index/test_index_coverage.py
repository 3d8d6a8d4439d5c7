import json

from tests.command_line import vpr


def test_coverage_of_the_photos_of_an_index(built, tmp_path, capsys):
    words = ["--index", built / "city.index", "--output", tmp_path, "--json"]
    assert vpr("photos", "coverage", *words) == 0
    content = json.loads(capsys.readouterr().out)
    # Ten photos 111 m apart, one a year from 2010 on.
    assert content["num_photos"] == content["num_covered"] == 10
    assert content["old_before"] == 2014
    assert content["num_old"] == 4
    cells = json.loads((tmp_path / "coverage.geojson").read_text())["features"]
    assert sorted(cell["properties"]["newest_year"] for cell in cells) == [
        *range(2010, 2020)
    ]
