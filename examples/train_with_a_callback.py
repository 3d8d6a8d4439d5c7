"""A training with a callback and an augmentation of one's own.

python examples/train_with_a_callback.py configs/quickstart.yaml train.epochs=4
"""

import sys
from collections.abc import Sequence

import keras

import vpr_tf as vpr


class LossPerEpoch(keras.callbacks.Callback):
    """Keeps the loss of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """See Keras."""
        self.losses.append(float((logs or {})["loss"]))


def main(config_file: str, overrides: Sequence[str] = ()) -> dict[int, float]:
    """Trains and returns the best recall on val."""
    losses = LossPerEpoch()
    result = vpr.train(
        vpr.load_config(config_file, overrides),
        callbacks=[losses],
        augment=keras.layers.RandomGrayscale(0.2),
    )
    print("losses:", ", ".join(f"{loss:.2f}" for loss in losses.losses))
    print("run:", result.run)
    print("val:", result.recalls["val"])
    return result.recalls["val"]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
