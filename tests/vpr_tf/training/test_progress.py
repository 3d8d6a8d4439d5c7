from vpr_tf.training.progress import TrainingProgress


def test_json_gives_the_same_state_back():
    progress = TrainingProgress(group_positions=[0, 0])
    progress.finish_step(1, 0.1 + 0.2, 32)
    progress.record_recall(100 / 3)
    copy = TrainingProgress()
    copy.load_json(progress.to_json())
    assert copy == progress
    assert copy.group_positions == [0, 32]


def test_only_a_strictly_higher_recall_is_better():
    progress = TrainingProgress()
    taken = []
    for epoch, recall in enumerate([10.0, 12.0, 12.0, 11.0, 13.0]):
        progress.epoch = epoch
        taken.append(progress.record_recall(recall))
    assert taken == [True, True, False, False, True]
    assert (progress.best_recall, progress.best_epoch) == (13.0, 4)


def test_the_last_model_is_best_without_recall():
    progress = TrainingProgress()
    for epoch in range(3):
        progress.epoch = epoch
        assert progress.record_recall(None)
    assert (progress.best_recall, progress.best_epoch) == (None, 2)


def test_an_epoch_ends_with_its_sums_reset():
    progress = TrainingProgress(group_positions=[0])
    progress.finish_step(0, 2.0, 4)
    progress.finish_epoch()
    assert (progress.step, progress.epoch, progress.step_in_epoch) == (1, 1, 0)
    assert progress.epoch_loss_sum == 0
    assert progress.group_positions == [4]
