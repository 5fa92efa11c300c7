"""`python -m keras_coatnet.deploy.child FOLDER`: does the job of a folder with the backend of this process.

Nobody imports this module; `handover` starts it.
"""

import os
import shutil
import sys
import threading
import traceback

import keras

from keras_coatnet.deploy import answers, job

# Held by whoever ends this process: the job, or the watch that cleans up behind a parent that is gone.
ending = threading.Lock()


def main(folder):
    """Does the job that lies in a folder; what goes wrong is left there.

    Returns: the exit code.
    """
    load_one_framework()
    try:
        todo = job.read_job(folder)
        end_with_parent([folder, *todo.leftovers])
        job.write_outputs(folder, outputs_of(todo, job.read_model(folder)))
    except Exception as error:
        traceback.print_exc()
        job.write_error(folder, error)
        return 1
    return 0


def load_one_framework():
    """Has Keras do without TensorFlow on other backends, where it would load it if it can.

    It takes seconds, and two frameworks in one process do not always get on.
    """
    if keras.backend.backend() != "tensorflow" and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, WithoutTensorFlow())


class WithoutTensorFlow:
    """Finds no TensorFlow. None in `sys.modules` would do too, but Keras takes that for TensorFlow at work."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def outputs_of(todo, model):
    if todo.request is None:
        return answers.answers_of_model(model, todo.pictures)
    return answers.write_and_answer(model, todo.path, todo.request, todo.pictures)


def end_with_parent(leftovers):
    """Ends this process, and removes what it worked on, when whoever started it is gone, killed perhaps.

    Standard input is the sign: it ends with them.
    """

    def watch():
        while sys.stdin.buffer.read(1024):
            pass
        with ending:
            for path in leftovers:
                shutil.rmtree(path, ignore_errors=True)
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    code = 1
    try:
        code = main(sys.argv[1])
    finally:
        sys.stdout.flush()
        with ending:
            # Several frameworks in one process do not always end in peace.
            os._exit(code)
