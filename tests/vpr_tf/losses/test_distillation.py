import numpy as np
import pytest
import tensorflow as tf

from vpr_tf import losses


def unit_rows(seed, num_rows=6, dim=5):
    x = np.random.default_rng(seed).normal(size=(num_rows, dim))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_the_loss_is_that_of_its_formula():
    student, teacher = unit_rows(0), unit_rows(1)
    distance = np.mean([1 - s @ t for s, t in zip(student, teacher, strict=True)])
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    differences = [student[i] @ student[j] - teacher[i] @ teacher[j] for i, j in pairs]
    expected = 2 * distance + 3 * np.mean(np.square(differences))
    loss = losses.distillation(student, teacher, 2.0, 3.0)
    assert loss.dtype == tf.float32
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_who_says_what_the_teacher_says_has_learnt_it():
    teacher = unit_rows(1)
    assert float(losses.distillation(teacher, teacher)) == pytest.approx(0, abs=1e-6)
    turned = teacher @ np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5)))[0]
    assert float(losses.distillation(turned, teacher, 0.0)) == pytest.approx(
        0, abs=1e-6
    )
    assert float(losses.distillation(turned, teacher, 1.0, 0.0)) > 0.1


def test_a_batch_of_one_photo_has_no_relation():
    x, y = unit_rows(0, 1), unit_rows(1, 1)
    expected = float(1 - x[0] @ y[0])
    assert float(losses.distillation(x, y)) == pytest.approx(expected, rel=1e-5)
