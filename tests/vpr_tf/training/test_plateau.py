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


def test_rate_is_reduced_again_after_each_patience():
    recalls = [50, 60, 60, 59, 58, 57, 70, 60]
    _, factors = run(lambda p: ReduceOnPlateau(p, 0.5, 2), recalls)
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_rate_is_kept_while_recall_rises():
    _, factors = run(lambda p: ReduceOnPlateau(p, 0.5, 1), [1, 2, 3])
    assert factors == [1, 1, 1]


def test_early_stopping_counts_epochs_since_the_best():
    progress, _ = run(lambda p: EarlyStopping(p, 2), [50, 60, 60, 60, 99])
    assert progress.stopped_early
    assert progress.epoch == 3


def test_epochs_without_validation_do_not_stop():
    progress, _ = run(lambda p: EarlyStopping(p, 2), [50, None, None, None])
    assert not progress.stopped_early
