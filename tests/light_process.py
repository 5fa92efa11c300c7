"""Run by tests as a process of its own: fetches or converts a manifest row without loading Keras.

light_process.py NAME fetch [BYTES]     prints the path; kills itself after so many bytes
light_process.py NAME convert [die]     prints the path; with die, kills itself in the middle of writing
"""

import os
import signal
import sys
import types
from pathlib import Path

# The package's own __init__ loads Keras, which takes seconds; its submodules are found without it.
package = types.ModuleType("keras_coatnet")
package.__path__ = [str(Path(__file__).parents[1] / "keras_coatnet")]
sys.modules["keras_coatnet"] = package

from keras_coatnet.weights.converted import store_converted  # noqa: E402
from keras_coatnet.weights.download.fetch import fetch  # noqa: E402
from keras_coatnet.weights.download.progress import Progress  # noqa: E402
from keras_coatnet.weights.download.transport import Settings  # noqa: E402
from keras_coatnet.weights.manifest import list_pretrained  # noqa: E402


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Dying(Progress):
    def __init__(self, limit):
        self.left = limit

    def advance(self, count):
        self.left -= count
        if self.left <= 0:
            die()


def half_a_file(path):
    Path(path).write_bytes(b"half")
    die()


def main(name, action, extra=None):
    (row,) = [row for row in list_pretrained(name) if row.name == name]
    if action == "fetch":
        print("ready")
        progress = Dying(int(extra)) if extra else Progress()
        print(fetch(row, progress, settings=Settings(backoff=0, read_timeout=20)))
    else:
        write = half_a_file if extra else lambda path: Path(path).write_bytes(b"whole")
        print(store_converted(row, write))
    assert "keras" not in sys.modules


main(*sys.argv[1:])
