"""The commands that are disturbed, on small data."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.build_kills import _bytes_of, _write_photos
from benchmarks.faults.children import run_alone, run_command
from vpr_tf.place_index.layout import MANIFEST_FILE, ONNX_COPY

_CONFIG = """
name: faults
seed: 1
runs_dir: WORK/runs
savedmodels_dir: WORK/savedmodels
dataset: {path: DATASET}
build:
  train: INPUTS/photos
  val: {database: INPUTS/photos, queries: INPUTS/more}
  tests:
    test: {database: INPUTS/photos, queries: INPUTS/more}
  images_per_shard: 20
  workers: 1
  partition:
    cell_size_m: 10
    cell_stride: 1
    heading_stride: 1
    min_images_per_class: 2
    missing_heading: ignore
encoder:
  backbone: EfficientNetLite0
  descriptor_dim: 8
  last_stage: 1
  train_from_stage: 1
  weights: none
train:
  groups_num: 1
  epochs: 2
  iterations_per_epoch: 4
  batch_size: 4
  image_size: 32
  checkpoint_every_steps: 2
evaluation: {resize: square, image_size: 32, batch_size: 8, index: exact}
"""
_NUM_PHOTOS = 60

State = dict[str, bytes]


@dataclass(frozen=True)
class Operation:
    """A command, what it starts from and what it must end with.

    Attributes:
        prepare: Makes what the work folder holds before.
        arguments: Of `vpr`, given the work folder; of another run after a fault they
            may differ.
        outcome: What is compared with the undisturbed run's.
        is_whole: Says what is wrong with what a fault left; empty if nothing.
    """

    prepare: Callable[[Path], None]
    arguments: Callable[[Path], list[str]]
    outcome: Callable[[Path], State]
    is_whole: Callable[[Path], str] = lambda work: ""


def operations(inputs: Path) -> dict[str, Operation]:
    """Returns the operations; what they read is made once.

    Args:
        inputs: Empty or of a former call.
    """
    _make_inputs(inputs)
    photos, more = inputs / "photos", inputs / "more"
    encoder, index = inputs / "encoder.keras", inputs / "index"

    def config(work: Path, dataset: Path | None = None) -> str:
        text = _CONFIG.replace("DATASET", str(dataset or inputs / "dataset"))
        text = text.replace("WORK", str(work)).replace("INPUTS", str(inputs))
        path = work.parent / ("own.yaml" if dataset else "config.yaml")
        path.write_text(text)
        return str(path)

    def build(work: Path) -> list[str]:
        return ["data", "build", "--config", config(work, work / "dataset")]

    def train(work: Path) -> list[str]:
        runs = sorted((work / "runs" / "faults").glob("2*"))
        can_resume = [run for run in runs if (run / "config.yaml").exists()]
        return ["train", "--config", config(work), *["--resume"][: len(can_resume)]]

    def of_index(*words: object) -> Callable[[Path], list[str]]:
        def arguments(work: Path) -> list[str]:
            return ["index", *map(str, words), "--index", str(work / "index")]

        return arguments

    def build_index(work: Path) -> list[str]:
        words = ["--photos", photos, "--model", encoder, "--config", config(work)]
        return of_index("build", *words)(work)

    def evaluate(work: Path) -> list[str]:
        words = ["evaluate", "--config", config(work), "--model", str(encoder)]
        return [*words, "--report", "--output", str(work / "report")]

    def export(work: Path) -> list[str]:
        words = ["export", "--model", str(encoder), "--config", config(work)]
        return [*words, "--name", "faults"]

    def nothing(work: Path) -> None:
        pass

    def copied_index(work: Path) -> None:
        shutil.copytree(index, work / "index")

    def changed_index(work: Path) -> None:
        shutil.copytree(inputs / "changed_index", work / "index")

    some = [path.name for path in sorted(photos.iterdir())[:5]]
    index_state = _files_of("index")
    return {
        "build": Operation(nothing, build, _files_of("dataset")),
        "train": Operation(nothing, train, _training_state),
        "index_build": Operation(
            nothing, build_index, _built_index_state, _built_index_problem
        ),
        "index_add": Operation(
            copied_index, of_index("add", "--photos", more), index_state, _index_problem
        ),
        "index_remove": Operation(
            copied_index,
            of_index("remove", "--keys", *some),
            index_state,
            _index_problem,
        ),
        "index_compact": Operation(
            changed_index, of_index("compact"), index_state, _index_problem
        ),
        "evaluate": Operation(nothing, evaluate, _report_state),
        "export": Operation(nothing, export, _export_state),
    }


def _make_inputs(inputs: Path) -> None:
    if (inputs / "done").exists():
        return
    shutil.rmtree(inputs, ignore_errors=True)
    inputs.mkdir(parents=True)
    _write_photos(inputs / "photos", _NUM_PHOTOS)
    _write_photos(inputs / "more", _NUM_PHOTOS // 2)
    run_alone(_write_encoder, inputs / "encoder.keras")
    text = _CONFIG.replace("DATASET", str(inputs / "dataset"))
    config = inputs / "config.yaml"
    config.write_text(text.replace("WORK", str(inputs)).replace("INPUTS", str(inputs)))
    index = ["--index", str(inputs / "index")]
    model = ["--model", str(inputs / "encoder.keras"), "--config", str(config)]
    some = [path.name for path in sorted((inputs / "photos").iterdir())[5:9]]
    run_command(["data", "build", "--config", str(config)])
    run_command(["index", "build", "--photos", str(inputs / "photos"), *model, *index])
    shutil.copytree(inputs / "index", inputs / "changed_index")
    changed = ["--index", str(inputs / "changed_index")]
    run_command(["index", "add", "--photos", str(inputs / "more"), *changed])
    run_command(["index", "remove", *changed, "--keys", *some])
    (inputs / "done").touch()


def _write_encoder(path: Path) -> None:
    import keras

    from vpr_tf.models import GeoLocalizationNet

    keras.utils.set_random_seed(0)
    GeoLocalizationNet("EfficientNetLite0", 8, last_stage=1).save(path)


# === What is compared ===


def _files_of(name: str) -> Callable[[Path], State]:
    def state(work: Path) -> State:
        folder = work / name
        return _without_leftovers(_bytes_of(folder)) if folder.exists() else {}

    return state


def _without_leftovers(files: State) -> State:
    """Leaves out what the next sweep deletes, and locks."""
    return {
        name: data
        for name, data in files.items()
        if not any(part.startswith(".partial-") for part in Path(name).parts)
        and not name.endswith(".lock")
    }


def _training_state(work: Path) -> State:
    """Losses, recalls and the best encoder's file names of the newest run."""
    runs = sorted((work / "runs" / "faults").glob("2*"))
    if not runs or not all((runs[-1] / n).exists() for n in ("metrics.json", "best")):
        return {}
    metrics = json.loads((runs[-1] / "metrics.json").read_text())
    with (runs[-1] / "losses.csv").open() as file:
        losses = [row["loss"] for row in csv.DictReader(file)]
    recalls = {name: test["recalls"] for name, test in metrics["tests"].items()}
    best = sorted(path.name for path in (runs[-1] / "best").iterdir())
    return {"losses": repr((losses, recalls, best)).encode()}


def _report_state(work: Path) -> State:
    """The table of queries, and which files there are."""
    files = _files_of("report")(work)
    kept = {name: data for name, data in files.items() if name.endswith(".csv")}
    return kept | {"files": "\n".join(sorted(files)).encode()} if files else {}


def _export_state(work: Path) -> State:
    """Which files each version has; every version must have the same."""
    versions = sorted((work / "savedmodels" / "faults").glob("[0-9]*"))
    found = {"\n".join(sorted(_without_leftovers(_bytes_of(v)))) for v in versions}
    return {"files": "\n\n".join(sorted(found)).encode()} if found else {}


def _built_index_state(work: Path) -> State:
    """The files of an index but for the ONNX copy, which it can do without."""
    files = _files_of("index")(work)
    files.pop(ONNX_COPY, None)
    if MANIFEST_FILE in files:
        manifest = json.loads(files[MANIFEST_FILE])
        manifest["encoder_files"].pop(ONNX_COPY, None)
        del manifest["sha256"]  # of what it says
        files[MANIFEST_FILE] = json.dumps(manifest).encode()
    return files


def _built_index_problem(work: Path) -> str:
    """Says what an index lacks, if the command did not."""
    if not (work / "index" / MANIFEST_FILE).exists():
        return ""
    said = (work.parent / "errors.txt").read_text(errors="replace")
    is_told = "TensorFlow is loaded to localize by this index" in said
    if not (work / "index" / ONNX_COPY).exists() and not is_told:
        return "no ONNX copy, without a word"
    return _index_problem(work)


def _index_problem(work: Path) -> str:
    from vpr_tf.place_index import PlaceIndex

    report = PlaceIndex(work / "index").verify()
    return "" if report.is_intact else f"verify: {report.problems}"
