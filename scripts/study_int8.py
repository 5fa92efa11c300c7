"""What int8 costs a trained model in LiteRT files: answers, size and time of every scheme.

    KERAS_BACKEND=tensorflow python scripts/study_int8.py MODEL.keras CALIBRATION_FOLDER TEST_FOLDER [--pictures 128]

Ranges are taken from pictures of the first folder, evenly picked; answers are compared with the model's, in float32 and
unfused, on all pictures of the second. Times are medians over rounds in which every file runs once, on two threads.
"""

import argparse
import collections
import pathlib
import statistics
import time

import keras
import numpy as np

import keras_coatnet as kc
from keras_coatnet.deploy.formats.litert import LiteRTModel
from keras_coatnet.deploy.formats.litert_convert import convert
from keras_coatnet.deploy.formats.litert_int8 import SCHEMES
from keras_coatnet.deploy.formats.litert_operators import read_operators
from keras_coatnet.images.read import IMAGE_SUFFIXES
from keras_coatnet.prediction.inputs import preprocess_input

QUANTIZATIONS = (None, "float16", "dynamic", *SCHEMES)
THREADS = 2


def main():
    arguments = parse()
    model = with_logits(keras.models.load_model(arguments.model, compile=False))
    calibration = preprocess_input(picked(arguments.calibration, arguments.pictures), model)
    pictures = preprocess_input(picked(arguments.test, None), model)
    expected = model.predict(pictures, verbose=0)
    files = write_files(model, calibration)
    times = time_in_turns(files, pictures[:1], arguments.rounds)
    plain = times["float32", "unfused"]
    print("| weights | norms | MB | operators | in int8 | top-1 agrees | largest difference | rms | times as fast |")
    print("|---|---|---|---|---|---|---|---|---|")
    for key, content in files.items():
        found = open_file(content)(pictures)
        spread = expected.std()
        agreement = np.mean(found.argmax(-1) == expected.argmax(-1))
        kinds = collections.Counter(each.outputs[0].type for each in read_operators(content))
        cells = [
            *key,
            f"{len(content) / 1e6:.1f}",
            str(sum(kinds.values())),
            str(kinds["INT8"]),
            f"{agreement:.2%}",
            f"{np.abs(found - expected).max() / spread:.4f}",
            f"{np.sqrt(np.square(found - expected).mean()) / spread:.4f}",
            f"{statistics.median(a / b for a, b in zip(plain, times[key], strict=True)):.2f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a trained model, .keras")
    parser.add_argument("calibration", type=pathlib.Path, help="folder of pictures to take ranges from")
    parser.add_argument("test", type=pathlib.Path, help="folder of pictures to compare on")
    parser.add_argument("--pictures", type=int, default=128, help="to take ranges from")
    parser.add_argument("--rounds", type=int, default=21, help="of timing")
    return parser.parse_args()


def with_logits(model):
    """The model without the softmax at its end: probabilities hide differences."""
    options = model.get_config()
    options["layers"][-1]["config"]["activation"] = "linear"
    twin = model.__class__.from_config(options)
    twin.set_weights(model.get_weights())
    twin.origin = model.origin
    return twin


def picked(folder, count):
    """Paths of pictures in a folder and all below it, evenly picked; None is all."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if count is None or count >= len(paths):
        return paths
    return [paths[index] for index in np.linspace(0, len(paths) - 1, count).round().astype(int)]


def write_files(model, calibration):
    """{(quantization, "fused" or "unfused"): bytes of the file}"""
    return {
        (quantization or "float32", name): convert(each, 1, quantization, calibration)
        for name, each in (("unfused", model), ("fused", kc.fuse(model)))
        for quantization in QUANTIZATIONS
    }


def open_file(content):
    from ai_edge_litert.interpreter import Interpreter

    return LiteRTModel(Interpreter(model_content=content, num_threads=THREADS))


def time_in_turns(files, picture, rounds):
    """{key: seconds of each round}"""
    opened = {key: open_file(content) for key, content in files.items()}
    for run in opened.values():
        run(picture)
    seconds = {key: [] for key in files}
    for _ in range(rounds):
        for key, run in opened.items():
            start = time.perf_counter()
            run(picture)
            seconds[key].append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()
