import pytest

from benchmarks import scale_costs


def test_hours_are_photos_over_the_rate():
    assert scale_costs.hours("describe", 7_200, 2.0) == 1.0
    assert scale_costs.hours("train", 5, 16_000_000 / 3600) == 1.0


def test_the_rate_of_an_index_falls_with_the_root_of_its_leaves():
    assert scale_costs.hours("index", 1_000_000, 1_000_000 / 3600) == 1.0
    assert scale_costs.hours("index", 4_000_000, 1_000_000 / 3600) == 8.0


def test_photos_of_roads():
    assert scale_costs.photos_of_roads(140_000, 10, 12) == 168_000_000


def test_the_table_has_the_readers_rate_and_price(capsys):
    words = ["--photos", "3600", "--rate", "describe=1", "--price-per-hour", "100"]
    scale_costs.main(words)
    (line,) = [
        line for line in capsys.readouterr().out.splitlines() if "| describe" in line
    ]
    assert line.endswith("| 1.0 | 1.0 | 100 |")
    scale_costs.main(words[:2])
    assert "| all | | | " in capsys.readouterr().out


@pytest.mark.parametrize("rate", ["walk=3", "describe=fast", "describe=0"])
def test_a_rate_that_cannot_be_is_refused(rate, capsys):
    with pytest.raises(SystemExit):
        scale_costs.main(["--photos", "1", "--rate", rate])
    assert rate in capsys.readouterr().err
