import pytest

from benchmarks import rerank
from benchmarks.guarded import guarded


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("work", "status", "said"),
    [
        (lambda: None, 0, ""),
        (lambda: 1, 1, ""),
        (lambda: fail(ValueError("`x` must be 1.")), 2, "benchmarks.a: `x` must be 1."),
        (lambda: fail(KeyboardInterrupt()), 130, "Interrupted; the same command goes"),
    ],
)
def test_the_end_of_a_benchmark_is_a_status_and_a_line(capsys, work, status, said):
    assert guarded("a", work) == status
    assert capsys.readouterr().err.startswith(said)


def test_what_is_not_explained_is_raised():
    with pytest.raises(ZeroDivisionError):
        guarded("a", lambda: fail(ZeroDivisionError()))


def test_a_wrong_config_is_one_line(capsys, tmp_path):
    assert rerank.main(["--config", str(tmp_path / "no.yaml")]) == 2
    assert "benchmarks.rerank: " in capsys.readouterr().err
