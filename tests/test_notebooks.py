"""The notebooks of `examples/` have no outputs in them, and run in a real kernel."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
COURSE = ROOT / "examples" / "course.ipynb"
# In place of the cell that starts a process for each of twelve commands, which would
# import TensorFlow each; and the stem alone trains, for the whole network takes long.
VPR_IN_THE_KERNEL = """
from vpr_tf.cli import main
STEM = ["encoder.last_stage=0", "encoder.train_from_stage=0"]

def vpr(command, *more, may_be_partial=False):
    words = [*command.split(), *map(str, more)]
    status = main(words + STEM * (words[0] in ("train", "sweep")))
    assert status <= may_be_partial, command
"""


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


def cell_of_vpr(notebook):
    (cell,) = (c for c in code_cells(notebook) if c.source.startswith("def vpr("))
    return cell


def test_commands_of_the_course_print_and_fail_as_in_a_terminal(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names = {"subprocess": subprocess, "sys": sys}
    exec(cell_of_vpr(nbformat.read(COURSE, 4)).source, names)
    names["vpr"]("train", "--help")
    assert "--resume" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="vpr trian ended with 2"):
        names["vpr"]("trian", may_be_partial=True)
    assert "Did you mean `vpr train`?" in capsys.readouterr().out


@pytest.mark.slow
def test_course_runs_to_its_paper(tmp_path, monkeypatch):
    monkeypatch.setenv("VPR_COURSE", str(tmp_path / "course"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(COURSE, 4)
    cell_of_vpr(notebook).source = VPR_IN_THE_KERNEL
    *_, prepared, looked, trained, tested, swept = execute(notebook)
    assert "has the new test sets tokyo_xs" in text_of(prepared)
    assert len(pictures_of(looked)) == 1
    assert "epoch 2/2" in text_of(trained)
    assert len(pictures_of(tested)) == 2
    assert "tokyo_xs R@1" in text_of(swept)
    assert "against head=cosine_margin" in text_of(swept).lower()
    assert len(pictures_of(swept)) == 1
    assert (tmp_path / "course/paper/report.tex").is_file()
