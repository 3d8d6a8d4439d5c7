import numpy as np

from benchmarks.rerank import Looked, table_by_confidence, table_of


def looked(found, error_m, localized, num_reranked, cpu_s):
    found, error_m = np.array(found, float), np.array(error_m, float)
    return Looked(found, error_m, np.array(localized), num_reranked, cpu_s)


LOOKS = {
    "never": looked([1, 0, 0, 1], [3, 900, 2e7, 5], [True, False, False, True], 0, 0),
    "always": looked([1, 1, 0, 1], [3, 4, 800, 5], [True, True, False, True], 4, 6.0),
}


def test_differences_are_those_of_the_same_queries():
    lines = table_of(LOOKS, 25.0).to_markdown().splitlines()
    never, always = lines[-2:]
    cells = [cell.strip() for cell in always.split("|")[1:-1]]
    assert cells[:2] == ["always", "75.0"]
    assert cells[2].startswith("25.0 [0.0, ")
    assert cells[3] == "75.0%"
    assert cells[5].startswith("4.5 [")
    assert cells[6:] == ["75.0%", "100.0%", "100.0%", "1.50"]
    cells = [cell.strip() for cell in never.split("|")[1:-1]]
    assert (cells[1], cells[2], cells[8]) == ("50.0", "-", "0.0%")


def test_gains_by_the_confidence_of_the_first_look():
    localized, withheld = table_by_confidence(LOOKS).to_markdown().splitlines()[-2:]
    assert [c.strip() for c in localized.split("|")[1:-1]][1:] == [
        "2",
        "100.0",
        "100.0",
    ]
    assert [c.strip() for c in withheld.split("|")[1:-1]][1:] == ["2", "0.0", "50.0"]
