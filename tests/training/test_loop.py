"""The training loop learns, weighs, decays and keeps time."""

import keras
import numpy as np
import pytest

import keras_coatnet as kc
from keras_coatnet.images.preprocess import normalise
from keras_coatnet.training.loop import make_optimizer, shorten_norm_memory, train


def red_or_blue(count):
    """Noise of 32 x 48 with more red (label 0) or more blue (1)."""
    images = np.random.default_rng(0).integers(0, 128, (count, 32, 48, 3), np.uint8)
    labels = np.arange(count, dtype=np.int32) % 2
    images[labels == 0, ..., 0] += 100
    images[labels == 1, ..., 2] += 100
    return images, labels


def test_training_learns_and_reports_what_evaluation_finds():
    spec = kc.coatnet_spec((1,), (8,), 4, layout="C")
    model = kc.CoAtNet(spec, input_shape=(32, 48, 3), num_classes=2)
    held_out_images, held_out_labels = red_or_blue(13)
    history = train(
        model, red_or_blue(64), (held_out_images, held_out_labels), epochs=5, batch_size=8, learning_rate=2e-3
    ).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["val_accuracy"][-1] > 0.9
    # 13 pictures in batches of 8: neither the padding nor the short batch may bend the mean.
    answers = model.predict(normalise(held_out_images), verbose=0).argmax(-1)
    np.testing.assert_allclose(history["val_accuracy"][-1], np.mean(answers == held_out_labels), atol=1e-6)


def test_learning_rate_warms_up_then_falls_to_zero():
    schedule = make_optimizer(0.01, steps=100)._learning_rate
    rates = [float(schedule(step)) for step in (0, 2, 5, 20, 50, 80, 100)]
    np.testing.assert_allclose([*rates[:3], rates[-1]], [0, 0.004, 0.01, 0], atol=1e-8)
    assert rates[2:] == sorted(rates[2:], reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 19])
def test_short_runs_have_no_warm_up(steps):
    schedule = make_optimizer(0.01, steps)._learning_rate
    np.testing.assert_allclose(float(schedule(0)), 0.01, rtol=1e-6)


def test_only_kernels_decay():
    model = kc.CoAtNet(
        kc.coatnet_spec((1, 1), (8, 16), 8, layout="CT", head_dim=8), input_shape=(32, 48, 3), num_classes=2
    )
    optimizer = make_optimizer(0.01, 10)
    optimizer.build(model.trainable_variables)
    decayed = {variable.name for variable in model.trainable_variables if optimizer._use_weight_decay(variable)}
    spared = {variable.name for variable in model.trainable_variables} - decayed
    assert "kernel" in decayed
    assert all("kernel" in name for name in decayed)
    assert {"bias", "gamma", "beta", "relative_position_bias_table"} <= spared


@pytest.mark.parametrize(("steps", "momentum"), [(1, 0.5), (100, 0.8), (1000, 0.98), (10**6, 0.99)])
def test_norm_statistics_forget_within_a_twentieth_of_the_run(steps, momentum):
    norms = [keras.layers.BatchNormalization(momentum=0.99), keras.layers.BatchNormalization(momentum=0.4)]
    model = keras.Sequential([keras.Input((4, 6, 3)), *norms])
    shorten_norm_memory(model, steps)
    np.testing.assert_allclose([norm.momentum for norm in norms], [momentum, 0.4])


def test_norms_inside_blocks_forget_too():
    model = kc.CoAtNet(kc.coatnet_spec((1,), (8,), 8, layout="C"), input_shape=(32, 48, 3), num_classes=2)
    shorten_norm_memory(model, 1)
    momenta = [layer.momentum for layer in model._flatten_layers() if hasattr(layer, "momentum")]
    assert len(momenta) > 2
    assert set(momenta) == {0.5}
