"""One stream of batches whatever the loader, the processes and the place it starts from; and `fit` takes it."""

import importlib.util
import logging
import subprocess
import sys

import keras
import numpy as np
import pytest
from photo_folders import LoadedModules, make_photos

from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING
from keras_coatnet.training.data import loaders
from keras_coatnet.training.data.feeds import evaluation_feed, training_feed
from keras_coatnet.training.data.order import Position
from keras_coatnet.training.data.sources import Data, Rows, open_data
from keras_coatnet.training.recipes import get_recipe

LOADERS = [name for name, library in loaders.LIBRARIES.items() if importlib.util.find_spec(library)]
RECIPE = get_recipe("a3_160").replace(batch_size=4, image_size=12, erasing=0.3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_data(make_photos(tmp_path_factory.mktemp("photos"), broken=(2,), cat=9, dog=12))


def feed(data, loader="keras", workers=0, recipe=RECIPE):
    return training_feed(data.train, 2, recipe, seed=5, loader=loader, workers=workers)


def take(dataset, count):
    """The first batches of a stream, as arrays."""
    if isinstance(dataset, keras.utils.PyDataset):
        return [dataset[index] for index in range(count)]
    batches = []
    for batch in dataset:
        batches.append(tuple(np.asarray(array) for array in batch))
        if len(batches) == count:
            return batches
    return batches


def assert_equal(batches, others):
    assert len(batches) == len(others) > 0
    for batch, other in zip(batches, others, strict=True):
        for array, expected in zip(batch, other, strict=True):
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, expected)


@pytest.mark.backend_free
@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("workers", [0, 2])
def test_every_loader_gives_the_same_batches_to_the_bit(data, loader, workers):
    reference = feed(data)
    steps = reference.steps
    expected = [reference.arrays(step) for step in range(steps - 2, steps + 3)]
    with feed(data, loader, workers) as other:
        assert_equal(take(other.dataset(Position(0, steps - 2)), 5), expected)
        assert other.skipped.keys() <= reference.skipped.keys()


@pytest.mark.backend_free
@pytest.mark.parametrize("loader", LOADERS)
def test_evaluation_is_one_pass_that_weighs_each_picture_once(data, loader):
    with evaluation_feed(
        data.held_out, 2, DEFAULT_PREPROCESSING, (10, 12), batch_size=3, loader=loader, workers=0
    ) as f:
        batches = take(f.dataset(), 99) if loader != "keras" else take(f.dataset(), f.steps)
        assert len(batches) == f.steps == -(-len(data.held_out) // 3)
        assert sum(weights.sum() for _, _, weights in batches) == len(data.held_out) - len(f.skipped)


@pytest.mark.backend_free
def test_bad_pictures_are_listed_and_each_is_logged_once(data, caplog):
    with caplog.at_level(logging.WARNING, "keras_coatnet"):
        one = feed(data, recipe=RECIPE.replace(batch_size=len(data.train)))
        for _ in range(2):
            one.arrays(0)
    assert one.skipped
    assert all(name.endswith("2.png") and "not a picture" in reason for name, reason in one.skipped.items())
    assert len(caplog.messages) == len(one.skipped)
    assert "2.png: not a picture" in caplog.messages[0]


@pytest.mark.backend_free
def test_processes_report_their_bad_pictures_too(data):
    alone = feed(data, recipe=RECIPE.replace(batch_size=len(data.train)))
    alone.arrays(0)
    with feed(data, workers=1, recipe=RECIPE.replace(batch_size=len(data.train))) as other:
        other.arrays(0)
        assert other.skipped == alone.skipped


@pytest.mark.backend_free
def test_errors_in_a_process_arrive_with_their_traceback():
    with feed(only_training(Rows([(b"bad", 0)] * 4)), workers=1) as broken:
        with pytest.raises(ValueError, match="4 pictures in a row") as caught:
            broken.arrays(0)
        assert "in _read" in caught.value.__notes__[0]


def only_training(source):
    return Data(("cat", "dog"), source, source)


@pytest.mark.backend_free
def test_pictures_that_cannot_be_sent_to_a_process_say_what_to_do():
    source = only_training(Rows([(lambda: 0, 0)] * 4))
    with (
        feed(source, workers=1) as one,
        pytest.raises(TypeError, match=r"cannot be sent to another process .*workers=0"),
    ):
        one.arrays(0)


class OnlyKnownHere:
    """Gone from its module once it is pickled, as a class of a notebook is for a process."""

    def __len__(self):
        return 8


@pytest.mark.backend_free
def test_classes_that_a_process_does_not_know_are_named(monkeypatch):
    monkeypatch.setattr(OnlyKnownHere, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "OnlyKnownHere", OnlyKnownHere, raising=False)
    source = only_training(Rows(OnlyKnownHere()))
    with feed(source, workers=1) as one, pytest.raises(AttributeError, match="OnlyKnownHere") as caught:
        one.arrays(0)
    assert "workers=0" in caught.value.__notes__[0]


@pytest.mark.backend_free
def test_nothing_to_evaluate_with_is_refused():
    with pytest.raises(ValueError, match="no pictures to evaluate"):
        evaluation_feed(Rows([]), 2, DEFAULT_PREPROCESSING, (8, 8))


@pytest.mark.backend_free
def test_killed_process_is_told_and_the_next_batch_has_a_new_one(data):
    with feed(data, workers=1) as one:
        expected = one.arrays(0)
        one._workers._processes[0].kill()
        one._workers._processes[0].wait()
        assert_equal([one.arrays(0)], [expected])


@pytest.mark.backend_free
def test_closed_feed_starts_no_process_again(data):
    one = feed(data, workers=1)
    one.arrays(0)
    one.close()
    with pytest.raises(RuntimeError, match="The feed is closed"):
        one.arrays(1)
    assert one._workers._processes == []


@pytest.mark.backend_free
def test_processes_end_with_the_one_that_started_them(tmp_path):
    make_photos(tmp_path, cat=3, dog=3)
    code = f"""
import os, signal
from keras_coatnet.training.data.feeds import training_feed
from keras_coatnet.training.recipes import get_recipe
from keras_coatnet.training.data.sources import open_data
data = open_data({str(tmp_path)!r})
feed = training_feed(data.train, 2, get_recipe("transfer").smoke(), loader="keras", workers=1)
feed.arrays(0)
print(feed._workers._processes[0].pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    # The pipe that this waits for is open in the worker as well, so that it is gone by now.
    assert result.stdout.strip().isdigit(), result.stderr


@pytest.mark.backend_free
def test_processes_load_no_keras(data):
    expected = "keras False tensorflow False jax False torch False"
    with feed(only_training(Rows(LoadedModules())), workers=1) as one, pytest.raises(KeyError, match=expected):
        one.arrays(0)


@pytest.mark.parametrize("loader", LOADERS)
def test_fit_sees_the_batches_in_order_epoch_after_epoch(loader):
    images = [(np.full((8, 8, 3), 10 * index, np.uint8), index % 2) for index in range(12)]
    recipe = get_recipe("transfer").replace(batch_size=2, image_size=8, rand_augment_layers=0, label_smoothing=0.0)
    one = training_feed(Rows(images), 2, recipe, loader=loader, workers=0)
    seen = train_recording(one.fit_arguments(), epochs=2)
    expected = [float(one.arrays(step)[0].mean()) for step in range(2 * one.steps)]
    np.testing.assert_allclose(seen, expected, atol=1e-4)
    # From the middle of the second epoch on.
    rest = train_recording(one.fit_arguments(Position(1, 4)), epochs=2)
    np.testing.assert_allclose(rest, expected[one.steps + 4 :], atol=1e-4)


def train_recording(arguments, epochs):
    """The mean of each batch that a model is trained on, read off the loss of a model that only averages."""
    inputs = keras.Input((8, 8, 3))
    means = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(1 / 3))(means)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), loss=lambda labels, average: keras.ops.mean(average, -1))
    seen = []

    class Record(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.total = 0.0

        def on_train_batch_end(self, batch, logs):
            # What is logged is the mean of the epoch so far.
            seen.append((batch + 1) * logs["loss"] - self.total)
            self.total += seen[-1]

    model.fit(**arguments, epochs=epochs, verbose=0, callbacks=[Record()])
    return seen


@pytest.mark.backend_free
def test_unknown_loader_is_refused(data):
    with pytest.raises(ValueError, match=r"'auto', 'tf\.data', 'grain', 'keras'; got 'dali'"):
        feed(data, "dali")


@pytest.mark.backend_free
def test_missing_library_of_a_loader_says_what_to_install(data, monkeypatch):
    monkeypatch.setitem(loaders.LIBRARIES, "grain", "no_such_library")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'keras-coatnet\[grain\]'"):
        feed(data, "grain")


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("installed", "chosen"), [({"tensorflow", "grain"}, "tf.data"), ({"grain"}, "grain"), (set(), "keras")]
)
def test_first_installed_library_is_taken(monkeypatch, installed, chosen):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in installed | {"keras"} or None)
    assert loaders.choose_loader() == chosen
