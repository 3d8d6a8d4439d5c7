"""The notebooks of `examples/` have no outputs in them, and run in a real kernel."""

from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell):
    """What a cell printed."""
    return "".join(output.get("text", "") for output in cell.outputs)


def pictures_of(cell):
    return [out for out in cell.outputs if "image/" in " ".join(out.get("data", {}))]


def execute(notebook):
    from nbclient import NotebookClient

    # As a person opens it: in the folder that it lies in.
    where = {"metadata": {"path": str(ROOT / "examples")}}
    NotebookClient(notebook, timeout=1800, resources=where).execute()
    return code_cells(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_is_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
        compile(cell.source, path.name, "exec")


@pytest.mark.slow
def test_course_runs_to_its_paper(tmp_path, monkeypatch):
    monkeypatch.setenv("VPR_COURSE", str(tmp_path / "course"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    path = ROOT / "examples" / "course.ipynb"
    *_, prepared, looked, trained, tested, swept = execute(nbformat.read(path, 4))
    assert "has the new test sets tokyo_xs" in text_of(prepared)
    assert len(pictures_of(looked)) == 1
    assert "epoch 2/2" in text_of(trained)
    assert len(pictures_of(tested)) == 2
    assert "tokyo_xs R@1" in text_of(swept)
    assert "against head=cosine_margin" in text_of(swept).lower()
    assert len(pictures_of(swept)) == 1
    assert (tmp_path / "course/paper/report.tex").is_file()
