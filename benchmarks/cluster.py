"""What a Ray cluster costs against one machine: `python -m benchmarks.cluster`.

As many machines as this one has cores, each a process with one core, do what this one
does with all cores: a dataset is built, photos are checked, an index is built. Printed
are seconds of each, and whether the files are the same. The start of the cluster is not
counted, that of the command is: of small work it is nearly all.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_prep.synthesize import synthesis_config, synthesize

_OBJECT_STORE_BYTES = 200 << 20
_CONFIG = """
name: measured
dataset: {{path: {dataset}}}
build:
  source: {source}
  train: {photos}
  workers: {cores}
  verify: full
  partition: {{min_images_per_class: 1}}
evaluation: {{resize: square, image_size: {image_size}}}
"""


def main() -> int:
    """Measures and prints a table."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch, _machines(options.machines) as head:
        work = Path(scratch)
        photos = options.photos or _drawn(work, options.machines)
        print(f"{options.machines} machines of one core, photos of {photos}")
        print("| command | one machine, s | cluster, s | ratio | same files |")
        print("| --- | ---: | ---: | ---: | --- |")
        for name, words in _commands(options).items():
            seconds = {}
            for where, more in (("alone", []), ("ray", ["--ray", head])):
                folder = work / where / name.replace(" ", "_")
                folder.mkdir(parents=True)
                config = _config(folder, photos, options)
                filled = [
                    w.format(out=folder, photos=photos, config=config) for w in words
                ]
                seconds[where] = _seconds([*name.split(), *filled, *more])
            same = _same(*(work / w / name.replace(" ", "_") for w in ("alone", "ray")))
            alone, ray = seconds["alone"], seconds["ray"]
            print(f"| {name} | {alone:.1f} | {ray:.1f} | {ray / alone:.2f} | {same} |")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder with SF-XL names")
    parser.add_argument("--model", default="", help="encoder of the index, if any")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--machines", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Returns the words of each command."""
    check = ["{photos}", "--output", "{out}/table.csv", "--overwrite"]
    commands = {
        "data build": ["--config", "{config}"],
        "photos check": [*check, "--workers", str(options.machines)],
    }
    if options.model:
        encoder = ["--model", options.model, "--config", "{config}", "--kind", "exact"]
        commands["index build"] = ["--index", "{out}/index", "--photos", "{photos}"]
        commands["index build"] += encoder
    return commands


@contextlib.contextmanager
def _machines(count: int) -> Iterator[str]:
    """Starts a cluster, and yields its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": _OBJECT_STORE_BYTES}
    machine: dict[str, Any] = {"num_cpus": 1, **memory}
    cluster = Cluster(
        initialize_head=True, head_node_args={**machine, "include_dashboard": False}
    )
    try:
        for _ in range(count - 1):
            cluster.add_node(**machine)
        yield cluster.address
    finally:
        cluster.shutdown()


def _drawn(work: Path, workers: int) -> Path:
    synthesize(synthesis_config("quickstart", 0, None), work / "city", workers, None)
    return work / "city" / "train"


def _config(folder: Path, photos: Path, options: argparse.Namespace) -> Path:
    path = folder.with_suffix(".yaml")
    text = _CONFIG.format(
        dataset=folder / "dataset",
        source=photos.parent,
        photos=photos.name,
        cores=options.machines,
        image_size=options.image_size,
    )
    path.write_text(text)
    return path


def _seconds(words: Sequence[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "vpr_tf", *words], capture_output=True, text=True
    )
    if done.returncode > 1:
        raise RuntimeError(f"vpr {' '.join(words)} failed: {done.stderr[-500:]}")
    return time.perf_counter() - start


def _same(one: Path, other: Path) -> str:
    """Says which files differ; pages and manifests say when they were made."""
    files = [
        {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
        for folder in (one, other)
    ]
    if files[0].keys() != files[1].keys():
        return "no: other files"
    differing = [
        str(name)
        for name, path in files[0].items()
        if path.read_bytes() != files[1][name].read_bytes()
    ]
    return f"but for {', '.join(differing)}" if differing else "yes"


if __name__ == "__main__":
    sys.exit(main())
