"""The interface of objectives: heads over classes, losses over a whole batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from vpr_tf.layers import TrainingHead
from vpr_tf.layers.l2_normalization import unit_vectors

# (descriptors, labels) of a whole batch -> scalar loss.
LossFunction = Callable[[Any, Any], Any]


class ReplicaBatch(NamedTuple):
    """A step's batch as one replica sees it.

    Attributes:
        descriptors: Of its own images.
        targets: Of its own images, by `TrainingHead.target`.
        all_descriptors: Of the images of all replicas.
        all_classes: Their class indices.
        num_replicas: Replicas in all workers together.
        all_teacher: What a teacher says of these images; None without one.
        domains: Descriptors of its own images and of those of the target domain, which
            are in nothing else here; None without a target.
        is_target: Whether each of `domains` is of the target, float32.
    """

    descriptors: tf.Tensor
    targets: Mapping[str, tf.Tensor]
    all_descriptors: tf.Tensor
    all_classes: tf.Tensor
    num_replicas: int
    all_teacher: tf.Tensor | None = None
    domains: tf.Tensor | None = None
    is_target: tf.Tensor | None = None

    @classmethod
    def of(
        cls,
        descriptors: tf.Tensor,
        targets: Mapping[str, tf.Tensor],
        objectives: Sequence[Objective],
    ) -> ReplicaBatch:
        """Gathers the descriptors of all replicas where an objective needs them."""
        context = tf.distribute.get_replica_context()
        num_replicas = context.num_replicas_in_sync
        classes, is_target = targets["class_index"], targets.get("is_target")
        domains = None
        if is_target is not None:
            domains, descriptors = descriptors, descriptors[: tf.shape(classes)[0]]
        everyone = descriptors
        teacher = targets.get("teacher")
        if num_replicas > 1 and any(one.needs_whole_batch for one in objectives):
            # Together, so that there is one exchange; float32 holds 2**24 classes.
            column = tf.cast(classes[:, None], tf.float32)
            columns = [tf.cast(everyone, tf.float32), column]
            columns += [] if teacher is None else [teacher]
            sizes = [part.shape[1] for part in columns]
            # Its gradient adds up what all replicas make of the descriptors.
            gathered = context.all_gather(tf.concat(columns, axis=1), axis=0)
            gathered = tf.ensure_shape(gathered, (None, sum(sizes)))
            everyone, column, *others = tf.split(gathered, sizes, axis=1)
            classes = tf.cast(column[:, 0], classes.dtype)
            teacher = others[0] if others else None
        return cls(
            *(descriptors, targets, everyone, classes, num_replicas, teacher),
            *(domains, is_target),
        )


@dataclass(frozen=True, eq=False)
class Objective:
    """What is learnt of a batch.

    Attributes:
        name: As in `train.objectives`.
        weight: Factor in the sum of the objectives.
        variables: What is trained besides the encoder.
    """

    name: str
    weight: float
    variables: Sequence[keras.Variable] = field(default=(), kw_only=True)

    @property
    def needs_whole_batch(self) -> bool:
        """Whether the descriptors of all replicas are needed."""
        raise NotImplementedError

    def share(self, batch: ReplicaBatch) -> tf.Tensor:
        """Returns a replica's share of the loss; all shares add up to it."""
        raise NotImplementedError

    def lacks_pairs(self, batch: ReplicaBatch) -> tf.Tensor | None:
        """Returns whether the batch has nothing to learn from; None if never."""
        return None


@dataclass(frozen=True, eq=False)
class HeadObjective(Objective):
    """The mean loss of a head, which is the sum over the images of all replicas.

    Attributes:
        head: Built.
    """

    head: TrainingHead

    @property
    def needs_whole_batch(self) -> bool:
        """See `Objective`."""
        return False

    def share(self, batch: ReplicaBatch) -> tf.Tensor:
        """See `Objective`."""
        losses = self.head.loss(batch.descriptors, batch.targets[self.head.target])
        num_images = tf.shape(losses)[0] * batch.num_replicas
        return tf.reduce_sum(losses) / tf.cast(num_images, tf.float32)


@dataclass(frozen=True, eq=False)
class BatchObjective(Objective):
    """A loss of the descriptors and classes of the whole batch.

    Every replica computes all of it, from the same numbers.

    Attributes:
        function: The loss.
        without_pairs: Whether descriptors and classes have no pair to learn from;
            None if the loss takes no pairs.
    """

    function: LossFunction
    without_pairs: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None

    @property
    def needs_whole_batch(self) -> bool:
        """See `Objective`."""
        return True

    def share(self, batch: ReplicaBatch) -> tf.Tensor:
        """See `Objective`."""
        loss = self.function(batch.all_descriptors, batch.all_classes)
        return tf.cast(loss, tf.float32) / batch.num_replicas

    def lacks_pairs(self, batch: ReplicaBatch) -> tf.Tensor | None:
        """See `Objective`."""
        if self.without_pairs is None:
            return None
        return self.without_pairs(batch.all_descriptors, batch.all_classes)


@dataclass(frozen=True, eq=False)
class TeacherObjective(Objective):
    """A loss of the descriptors of the whole batch and those of a teacher.

    Attributes:
        function: The loss of both.
    """

    function: LossFunction

    @property
    def needs_whole_batch(self) -> bool:
        """See `Objective`."""
        return True

    def share(self, batch: ReplicaBatch) -> tf.Tensor:
        """See `Objective`."""
        if batch.all_teacher is None:
            raise ValueError(
                f"The objective {self.name} needs the descriptors of a teacher in the "
                "batch, as `training_batches` gives them. Received: none"
            )
        loss = self.function(batch.all_descriptors, batch.all_teacher)
        return loss / batch.num_replicas


@dataclass(frozen=True, eq=False)
class DomainObjective(Objective):
    """How well a classifier tells the target domain, which the encoder works against.

    Attributes:
        classifier: Descriptors to logits, `(num_images, 1)`; reverses the gradient.
    """

    classifier: keras.Model

    @property
    def needs_whole_batch(self) -> bool:
        """See `Objective`."""
        return False

    def share(self, batch: ReplicaBatch) -> tf.Tensor:
        """See `Objective`."""
        if batch.domains is None or batch.is_target is None:
            raise ValueError(
                f"The objective {self.name} needs photos of a target in the batch, as "
                "`training_batches` gives them. Received: none"
            )
        descriptors = tf.cast(batch.domains, tf.float32)
        logits = self.classifier(unit_vectors(descriptors))[:, 0]
        losses = tf.nn.sigmoid_cross_entropy_with_logits(batch.is_target, logits)
        # Both domains count alike, however many photos each has.
        shares = [
            tf.reduce_sum(losses * of_one) / tf.maximum(tf.reduce_sum(of_one), 1.0)
            for of_one in (batch.is_target, 1.0 - batch.is_target)
        ]
        return tf.add_n(shares) / 2.0 / batch.num_replicas


@dataclass(frozen=True, eq=False)
class PseudoLabelObjective(Objective):
    """The loss of a head on photos of the target that have labels.

    The mean over the photos of the target in the batch, of which those without a label
    count as 0.

    Attributes:
        head: Built; trained by a `HeadObjective`.
    """

    head: TrainingHead

    @property
    def needs_whole_batch(self) -> bool:
        """See `Objective`."""
        return False

    def share(self, batch: ReplicaBatch) -> tf.Tensor:
        """See `Objective`."""
        classes = batch.targets.get("target_class_index")
        if batch.domains is None or classes is None:
            return tf.constant(0.0)  # none has a label as yet
        descriptors = batch.domains[tf.shape(batch.descriptors)[0] :]
        learnt = tf.maximum(classes, 0)
        if self.head.target == "place":
            learnt = batch.targets["target_place"]
        losses = self.head.loss(descriptors, learnt)
        total = tf.reduce_sum(tf.where(classes >= 0, losses, 0.0))
        num_photos = tf.shape(classes)[0] * batch.num_replicas
        return total / tf.cast(num_photos, tf.float32)


class Losses(NamedTuple):
    """What a replica computed; the sums over replicas are the values of the batch.

    Attributes:
        total: The weighted sum, which is trained.
        lacks_pairs: Above 0 when an objective had no pair to learn from.
        each: Of each objective, without its weight.
    """

    total: tf.Tensor
    lacks_pairs: tf.Tensor
    each: tuple[tf.Tensor, ...]


def losses_of(objectives: Sequence[Objective], batch: ReplicaBatch) -> Losses:
    """Returns a replica's shares of the losses."""
    each = tuple(one.share(batch) for one in objectives)
    total = tf.add_n(
        [one.weight * loss for one, loss in zip(objectives, each, strict=True)]
    )
    found = [one.lacks_pairs(batch) for one in objectives]
    lacking = [tf.cast(one, tf.float32) for one in found if one is not None]
    return Losses(total, tf.add_n(lacking) if lacking else tf.constant(0.0), each)


def variables_of(objectives: Sequence[Objective]) -> list[keras.Variable]:
    """Returns what the objectives train besides the encoder."""
    return [variable for one in objectives for variable in one.variables]
