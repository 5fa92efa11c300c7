"""Streams of batches that `model.fit` takes: tf.data's, Grain's and Keras' own. All call the same function of a step.

Each is a pure function of the step it starts at. Keras reads ahead to learn shapes, starts anew, and shuffles a
PyDataset of known length, so none of them may count epochs by how often it is asked.
"""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import keras

# What each loader needs; the first that is installed is taken where nobody asks for one.
LIBRARIES = {"tf.data": "tensorflow", "grain": "grain", "keras": "keras"}
INSTALL = {"tf.data": "tensorflow", "grain": "'keras-coatnet[grain]'"}


def choose_loader(name="auto"):
    """The name of a loader whose library is installed.

    Raises:
        ValueError: no such loader.
        ModuleNotFoundError: its library is missing.
    """
    if name == "auto":
        return next(each for each, library in LIBRARIES.items() if importlib.util.find_spec(library))
    if name not in LIBRARIES:
        raise ValueError(f"loader must be one of 'auto', {', '.join(map(repr, LIBRARIES))}; got {name!r}.")
    if importlib.util.find_spec(LIBRARIES[name]) is None:
        raise ModuleNotFoundError(f"The loader {name!r} needs a library that is missing: pip install {INSTALL[name]}")
    return name


def make_stream(loader, make, shapes, threads, start, stop):
    """The batches from step `start` to before `stop`, endless if None, made ahead in order.

    Args:
        loader: "tf.data", "grain" or "keras".
        make: step -> tuple of float32 arrays; called in threads.
        shapes: of these arrays.
        threads: how many steps are made at a time.
        start, stop: steps.

    Returns: `tf.data.Dataset`, `grain.IterDataset` or `keras.utils.PyDataset`.
    """
    streams = {"tf.data": _tf_stream, "grain": _grain_stream, "keras": KerasStream}
    return streams[loader](make, shapes, threads, start, stop)


def _tf_stream(make, shapes, threads, start, stop):
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        _keep_tensorflow_off_accelerators(tf)
    steps = tf.data.Dataset.counter(start, dtype=tf.int64) if stop is None else tf.data.Dataset.range(start, stop)

    def load(step):
        arrays = tf.numpy_function(make, [step], [tf.float32] * len(shapes))
        return tuple(tf.ensure_shape(array, shape) for array, shape in zip(arrays, shapes, strict=True))

    return steps.map(load, num_parallel_calls=threads, deterministic=True).prefetch(1)


def _keep_tensorflow_off_accelerators(tf):
    """It would take most of the memory of the GPU that another backend trains on."""
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError:  # somebody runs TensorFlow here already, and has decided about devices
        return


def _grain_stream(make, shapes, threads, start, stop):
    import grain

    steps = grain.MapDataset.range(start, 2**62 if stop is None else stop)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
    return steps.map(make).to_iter_dataset(options)


class KerasStream(keras.utils.PyDataset):
    """Batches made ahead by threads, with nothing but Keras installed; see `make_stream` for the arguments."""

    def __init__(self, make, shapes, threads, start, stop):
        super().__init__()
        self.make, self.start, self.stop = make, start, stop
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads)
        self._waiting = {}

    @property
    def num_batches(self):
        return None if self.stop is None else self.stop - self.start

    def __getitem__(self, index):
        # Whoever jumps, as Keras does when it starts anew, gives up what was made ahead for the old place.
        wanted = range(index, index + self.threads + 1)
        if self.stop is not None:
            wanted = wanted[: self.stop - self.start - index]
        self._waiting = {
            each: self._waiting.get(each) or self._executor.submit(self.make, self.start + each) for each in wanted
        }
        return self._waiting[index].result()
