"""Pictures that grow in a run: weights, averages and optimizer go on, and so does a run that was broken off."""

import numpy as np
import pytest
from running import to_numpy
from small_runs import RECIPE, StopAfter, make_feeds, make_model, values

from keras_coatnet.registry import resize_model
from keras_coatnet.training.optimization.averaging import averaged_pairs
from keras_coatnet.training.run.keeper import Stopped
from keras_coatnet.training.run.loop import prepare
from keras_coatnet.training.run.resizing import carry_over, train_growing

SIZES = {0: (32, 32), 1: (64, 48)}


def feeds(size):
    return make_feeds(size=size)


def test_broken_off_run_of_growing_pictures_is_equal_to_the_last_bit(tmp_path):
    expected, rows = train_growing(make_model(), RECIPE, feeds, SIZES)
    assert [row["image_size"] for row in rows] == [32, 64]
    assert expected.input_shape == (None, 64, 48, 3)
    with pytest.raises(Stopped):
        train_growing(make_model(), RECIPE, feeds, SIZES, resume_folder=tmp_path, stop=StopAfter(6))
    found, _ = train_growing(make_model(seed=5), RECIPE, feeds, SIZES, resume_folder=tmp_path)
    for ours, wanted in zip(values(found), values(expected), strict=True):
        np.testing.assert_array_equal(ours, wanted)


def test_optimizer_goes_on_at_another_size():
    small, (feed, _) = resize_model(make_model(), (32, 32, 3)), make_feeds(size=(32, 32))
    prepare(small, RECIPE, feed, 2)
    small.fit(**feed.fit_arguments(), epochs=1, verbose=0)
    large = resize_model(small, (32, 48, 3))
    prepare(large, RECIPE, make_feeds(size=(32, 48))[0], 2)
    carry_over(small, large)
    assert int(large.optimizer.iterations) == int(small.optimizer.iterations) == 2
    kernels = [pair for pair in averaged_pairs(large.optimizer) if pair[0].name == "kernel"]
    former = [pair for pair in averaged_pairs(small.optimizer) if pair[0].name == "kernel"]
    for (_, ours), (_, theirs) in zip(kernels, former, strict=True):
        np.testing.assert_array_equal(to_numpy(ours.value), to_numpy(theirs.value))


@pytest.mark.backend_free
@pytest.mark.parametrize("sizes", [{}, {1: (32, 48)}, {0: (32, 48), 2: (64, 64)}])
def test_sizes_that_do_not_fit_the_run_are_refused(sizes):
    with pytest.raises(ValueError, match="must begin with epoch 0 and end before epoch 2"):
        train_growing(None, RECIPE, feeds, sizes)
