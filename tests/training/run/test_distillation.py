"""A student learns from its teacher, who does not change."""

import keras
import numpy as np
import pytest
from running import to_numpy
from small_runs import RECIPE, SIZE, make_tiny_model, run

from keras_coatnet.training.run.distillation import Distiller


def model_of(logits, activation=None):
    """A model that answers the same to every picture, until it learns."""
    layer = keras.layers.Dense(len(logits), activation, kernel_initializer="zeros")
    layers = [keras.layers.GlobalAveragePooling2D(), layer]
    model = keras.Sequential([keras.Input((*SIZE, 3)), *layers])
    layer.bias.assign(logits)
    return model


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_loss_is_the_mix_of_labels_and_teacher(activation):
    student, teacher = model_of([0.0, 1.0], activation), model_of([2.0, 0.0])
    distiller = Distiller(student, teacher, share=0.25, temperature=3.0)
    distiller.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=activation is None))
    pictures, labels = np.zeros((2, *SIZE, 3), "float32"), np.float32([[1, 0], [0, 1]])
    outputs = distiller(pictures, training=True)
    found = distiller.compute_loss(pictures, labels, outputs, training=True)

    def softmax(logits):
        return np.exp(logits) / np.exp(logits).sum()

    hard = -np.log(softmax(np.array([0.0, 1.0]))).mean()
    wanted, given = softmax(np.array([2.0, 0.0]) / 3), softmax(np.array([0.0, 1.0]) / 3)
    soft = 9 * np.sum(wanted * np.log(wanted / given))
    assert float(to_numpy(found)) == pytest.approx(0.75 * hard + 0.25 * soft, rel=1e-5)
    plain = distiller.compute_loss(pictures, labels, outputs, training=False)
    assert float(to_numpy(plain)) == pytest.approx(hard, rel=1e-5)


def test_student_goes_where_its_teacher_points_and_the_teacher_stays():
    teacher = model_of([4.0, 0.0])
    before = teacher.get_weights()
    student = model_of([0.0, 0.0])
    engine = Distiller(student, teacher, share=1.0)
    recipe = RECIPE.replace(epochs=4, learning_rate=0.5, ema_decay=None, accumulation=1)
    run(recipe, student, engine=engine)
    black = student.predict(np.zeros((1, *SIZE, 3), "float32"), verbose=0)[0]
    assert black[0] - black[1] > 2
    for ours, expected in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("teacher", "options", "message"),
    [
        (lambda: model_of([0.0] * 3), {}, "same classes; got 2 and 3"),
        (lambda: model_of([0.0] * 2, "sigmoid"), {}, "a sigmoid knows classes one by one"),
        (lambda: model_of([0.0] * 2), {"share": 1.5}, "share must be from 0 to 1 and temperature above 0; got 1.5"),
        (lambda: model_of([0.0] * 2), {"temperature": 0}, "temperature above 0; got 0.5 and 0"),
    ],
)
def test_pairs_that_cannot_be_are_refused(teacher, options, message):
    with pytest.raises(ValueError, match=message):
        Distiller(make_tiny_model(), teacher(), **options)
