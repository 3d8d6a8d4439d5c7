import pytest

from benchmarks.photo_faults import (
    FLAG_OF,
    Label,
    fault_rows,
    flag_rows,
    read_labels,
    with_copies_flagged,
)
from data_prep.synthesize.faults import FAULTS
from vpr_tf.config import QUALITY_FLAGS

LABELS = {
    "dark": Label("under_exposed", ""),
    "cover": Label("lens_cover", ""),
    "b": Label("exact_copy", "a"),
}


def test_every_fault_has_its_flag():
    assert set(FLAG_OF) == set(FAULTS)
    assert set(FLAG_OF.values()) == set(QUALITY_FLAGS)


def test_either_of_two_equal_photos_may_be_the_copy():
    flags = {"a": {"duplicate"}, "b": set(), "dark": set(), "cover": set()}
    assert with_copies_flagged(flags, LABELS)["b"] == {"duplicate"}
    assert with_copies_flagged(flags, LABELS)["a"] == set()
    both = flags | {"b": {"duplicate"}}
    assert with_copies_flagged(both, LABELS) == both


def test_tables_count_what_is_right():
    flags = {
        "a": set(),
        "b": {"duplicate"},
        "good": {"underexposed"},
        "dark": {"underexposed"},
        "cover": {"underexposed"},
    }
    assert "| lens_cover | uniform | 1 | 0.0% |" in fault_rows(flags, LABELS)
    assert "| exact_copy | duplicate | 1 | 100.0% |" in fault_rows(flags, LABELS)
    rows = flag_rows(flags, LABELS, ("underexposed", "uniform"))
    assert rows[2] == "| underexposed | 3 | 1 | 1 | 1 | 33.3% |"
    assert rows[3] == "| uniform | 0 | 0 | 0 | 0 |  |"


def test_labels_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "faults.csv"
    file.write_text("photo,fault,copy_of\n'-x.jpg,exact_copy,y.jpg\n")
    assert read_labels(file) == {"-x.jpg": Label("exact_copy", "y.jpg")}
    with pytest.raises(FileNotFoundError):
        read_labels(tmp_path / "none.csv")
