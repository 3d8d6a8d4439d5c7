"""Which classes a batch holds: a dataclass for each way of sampling."""

from __future__ import annotations

from dataclasses import dataclass

from vpr_tf.config.rules import Methods, check, check_range

_SECTION = "train.sampling"


@dataclass(frozen=True)
class SamplingConfig:
    """Every pass over a group visits each of its classes once, in a random order."""

    name: str = "shuffled"

    def __post_init__(self) -> None:
        SAMPLINGS.check_class(self)


@dataclass(frozen=True)
class CliqueSamplingConfig(SamplingConfig):
    """Batches of cliques: classes that look alike and lie apart (arXiv:2407.02422).

    A class is in one clique at most; those for which there are not enough others are
    left out until cliques are found anew.
    """

    name: str = "cliques"
    clique_size: int = 4  # classes in a clique; a batch holds several cliques
    min_distance_m: float = 25.0  # between the centres of the classes of a clique
    # At the start of each epoch and after so many steps of it cliques are found anew,
    # by the descriptors of the encoder as it is then.
    renew_every_steps: int = 1000
    # Of so many classes of a group, drawn anew each time; null: all, of each of which a
    # photo is described.
    pool_classes: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self, _SECTION, 2, None, "clique_size")
        check_range(self, _SECTION, 0, 1e7, "min_distance_m")
        check_range(self, _SECTION, 1, None, "renew_every_steps")
        if self.pool_classes is not None:
            check_range(self, _SECTION, self.clique_size, None, "pool_classes")


SAMPLINGS: Methods[SamplingConfig] = Methods(
    path=_SECTION,
    key="name",
    classes={"shuffled": SamplingConfig, "cliques": CliqueSamplingConfig},
)


def check_sampling(
    config: SamplingConfig, classes_per_batch: int, tells_classes_apart: bool
) -> None:
    """Checks that batches can hold cliques, and that something is learnt of them.

    Args:
        config: How classes are sampled.
        classes_per_batch: Classes in a batch.
        tells_classes_apart: Whether an objective does.

    Raises:
        ConfigError: A field does not fit.
    """
    if not isinstance(config, CliqueSamplingConfig):
        return
    check(
        classes_per_batch % config.clique_size == 0,
        f"{_SECTION}.clique_size",
        f"a divisor of the classes in a batch, {classes_per_batch} "
        "(`train.batch_size` / `train.photos_per_class`)",
        config.clique_size,
    )
    if config.pool_classes is not None:
        check_range(config, _SECTION, classes_per_batch, None, "pool_classes")
    check(
        tells_classes_apart,
        f"{_SECTION}.name",
        "shuffled, where no entry of `train.objectives` tells classes apart",
        config.name,
    )
