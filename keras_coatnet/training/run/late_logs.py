"""Numbers of a batch that are read when somebody looks at them: reading one waits until its batch is computed.

Keras' own list of callbacks reads all of them after every batch, and so lets an accelerator idle while the next batch
is made ready.
"""

from collections.abc import Mapping

import keras


class LateLogs(Mapping):
    """Loss and metrics behind a batch, as floats."""

    def __init__(self, logs):
        self._logs = logs or {}

    def __getitem__(self, name):
        return float(self._logs[name])

    def __iter__(self):
        return iter(self._logs)

    def __len__(self):
        return len(self._logs)


class LateCallbacks(keras.callbacks.CallbackList):
    """Callbacks that are called after every training batch with `LateLogs`, at once and in order."""

    def on_train_batch_end(self, batch, logs=None):
        logs = LateLogs(logs)
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)
