import math

from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.config import PlateauScheduleConfig
from vpr_tf.training.callbacks import EarlyStopping, ReduceOnPlateau
from vpr_tf.training.progress import TrainingProgress


def run(make_callback, recalls):
    """Feeds one recall an epoch, None for an epoch without validation."""
    progress = TrainingProgress()
    callback = make_callback(progress)
    factors = []
    for epoch, recall in enumerate(recalls):
        progress.epoch = epoch
        logs = {"loss": 1.0}
        if recall is not None:
            progress.record_recall(recall)
            logs["val_recall@1"] = recall
        callback.on_epoch_end(epoch, logs)
        factors.append(progress.learning_rate_factor)
        if progress.stopped_early:
            break
    return progress, factors


def plateau(factor, patience_epochs, monitor="val_recall"):
    config = PlateauScheduleConfig(
        factor=factor, patience_epochs=patience_epochs, monitor=monitor
    )
    return lambda progress: ReduceOnPlateau(progress, config)


def test_rate_is_reduced_again_after_more_than_each_patience():
    recalls = [50, 60, 60, 59, 58, 57, 70, 60]
    _, factors = run(plateau(0.5, 1), recalls)
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_rate_is_kept_while_recall_rises():
    _, factors = run(plateau(0.5, 0), [1, 2, 3])
    assert factors == [1, 1, 1]


def torch_factors(losses, factor, patience):
    """`torch.optim.lr_scheduler.ReduceLROnPlateau` with its other defaults."""
    best, num_bad, product, factors = math.inf, 0, 1.0, []
    for loss in losses:
        if loss < best * (1 - 1e-4):
            best, num_bad = loss, 0
        else:
            num_bad += 1
        if num_bad > patience:
            product, num_bad = product * factor, 0
        factors.append(product)
    return factors


@given(
    st.lists(st.sampled_from([1, 2, 2.0001, 3, 4, 5]), max_size=30), st.integers(0, 6)
)
def test_the_val_loss_is_watched_as_by_pytorch(losses, patience):
    progress = TrainingProgress()
    callback = plateau(0.1, patience, "val_loss")(progress)
    factors = []
    for epoch, loss in enumerate(losses):
        # Recall, which falls all the time, is not looked at.
        logs = {"val_loss": float(loss), "val_recall@1": 50.0 - epoch}
        callback.on_epoch_end(epoch, logs)
        factors.append(progress.learning_rate_factor)
    assert factors == torch_factors(losses, 0.1, patience)


def keras_reductions(losses, patience):
    """Factors of `keras.callbacks.ReduceLROnPlateau(min_delta=0)`."""
    best, wait, factor, factors = math.inf, 0, 1.0, []
    for loss in losses:
        wait = 0 if loss < best else wait + 1
        best = min(best, loss)
        if wait and wait >= patience:
            factor, wait = factor * 0.1, 0
        factors.append(factor)
    return factors


@given(st.lists(st.sampled_from([1, 2, 3, 4]), max_size=30), st.integers(0, 4))
def test_the_last_of_the_epochs_reduces_as_by_keras(losses, patience):
    config = PlateauScheduleConfig(
        monitor="val_loss", patience_epochs=patience, bears_all=False
    )
    progress, factors = TrainingProgress(), []
    callback = ReduceOnPlateau(progress, config)
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": float(loss)})
        factors.append(progress.learning_rate_factor)
    assert factors == keras_reductions(losses, patience)


def test_a_resumed_run_remembers_the_val_loss():
    progress, resumed = TrainingProgress(), TrainingProgress()
    plateau(0.1, 1, "val_loss")(progress).on_epoch_end(0, {"val_loss": 1.0})
    resumed.load_json(progress.to_json())
    for epoch in (1, 2):
        plateau(0.1, 1, "val_loss")(resumed).on_epoch_end(epoch, {"val_loss": 1.0})
    assert resumed.last_reduction_epoch == 2
    former = TrainingProgress()
    former.load_json('{"best_recall": 1.0}')
    assert former.best_val_loss is None


def test_epochs_without_a_val_loss_are_no_plateau():
    progress = TrainingProgress()
    callback = plateau(0.1, 0, "val_loss")(progress)
    for epoch in range(5):
        callback.on_epoch_end(epoch, {"val_recall@1": 5.0})
    assert progress.learning_rate_factor == 1


def test_early_stopping_counts_epochs_since_the_best():
    progress, _ = run(lambda p: EarlyStopping(p, 2), [50, 60, 60, 60, 99])
    assert progress.stopped_early
    assert progress.epoch == 3


def test_epochs_without_validation_do_not_stop():
    progress, _ = run(lambda p: EarlyStopping(p, 2), [50, None, None, None])
    assert not progress.stopped_early
