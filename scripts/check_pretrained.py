"""Load every row of the manifest by name through the real download path, and compare its logits with the peer's.

Files with the names, layouts and sizes of the released ones are made by the peers themselves with random values, and
served on loopback. Each row is loaded by its tag from a cold and from a warm cache, at its own size and at one other,
under a manifest that holds the served files' hashes; under the shipped hashes the served files have to be refused.
Of a row with several files, every second one has the first answer 404, so that the next is taken.

    KERAS_BACKEND=torch python scripts/check_pretrained.py --timm-python PYTHON --kecam-python PYTHON [--only NAME...]

PYTHON are the interpreters of environments that have the peers (see `check_release`). Needs about 1.5 GB of disk at a
time. Exits with 1 where anything is outside its tolerance.
"""

import argparse
import dataclasses
import fnmatch
import gc
import json
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

if os.environ.get("KERAS_BACKEND") == "torch":
    # Loaded after TensorFlow, which Keras imports where it finds it, torch can crash the process.
    import torch  # noqa: F401

import keras
import numpy as np
from serving import serve, served_file

import keras_coatnet as kc
from keras_coatnet.weights.download.fetch import DownloadError
from keras_coatnet.weights.manifest import shipped_manifest

SCRIPTS = pathlib.Path(__file__).resolve().parent
# Allowed largest difference over the logits' standard deviation.
TOLERANCE = 1e-4

# Run in the peer's environment: a file of random tensors, and the peer's answers at each size.
WRITE = """
import sys, pathlib, numpy as np
from peers import {peer}_peer as peer
from peers.tensors import draw_scene
variant, classes, path, side, others = {variant!r}, {classes}, pathlib.Path({path!r}), {side}, {others}
model = peer.build(variant, (side, side), classes)
peer.randomise(model, variant)
peer.save(model, str(path))
for other in others:
    model = peer.build(variant, (other, other), classes)
    peer.load(model, path, {load_argument})
    images = draw_scene(variant, (other, other))[:1]
    np.savez(str(path) + f".{{other}}.npz", images=images, logits=peer.run(model, images)["logits"])
"""


def peer_of(entry):
    """The module of the peer that makes the file of a row."""
    return "coat" if entry["variant"] in kc.list_variants("coat_*") else entry["source"]


def other_size(entry):
    """A size that this row is the nearest to, so that its tables grow or shrink."""
    return {160: 128, 224: 256, 384: 320}[entry["input_size"]]


def write_peer_file(pythons, entry, path):
    """Have the peer make the file and its answers."""
    side, peer = entry["input_size"], peer_of(entry)
    code = WRITE.format(
        peer=peer,
        variant=entry["variant"],
        classes=entry["num_classes"],
        path=str(path),
        side=side,
        others=[side, other_size(entry)],
        load_argument=f"resized=other != {side}" if peer == "kecam" else "",
    )
    done = subprocess.run(
        [pythons["kecam" if peer == "kecam" else "timm"], "-W", "ignore", "-c", code],
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the peer failed on {entry['variant']}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def served_entry(entry, number, url, path):
    """The row with the served file's address and hashes, behind a missing one for every second row."""
    served = served_file(file_of(entry, number), url, path)
    missing = {**entry["files"][0], "url": f"{url}/missing/{entry['files'][0]['file']}"}
    return {**entry, "files": [served] if served["file"] == missing["file"] else [missing, served]}


def file_of(entry, number):
    """The file of a row that is served."""
    return entry["files"][-1 if number % 2 else 0]


def use(entry, folder, home):
    """Have the package see this row, and a cache of its own."""
    path = folder / "manifest.json"
    path.write_text(json.dumps([entry]))
    os.environ |= {"KERAS_COATNET_MANIFEST": str(path), "KERAS_COATNET_HOME": str(home)}


def load(entry, side):
    """(model, seconds)"""
    start = time.perf_counter()
    tag = "imagenet" if entry["default"] else entry["tag"]
    model = kc.build(entry["variant"], input_shape=(side, side, 3), pretrained=tag, classifier_activation=None)
    return model, time.perf_counter() - start


def error(model, answers):
    """Largest difference from the peer's logits, over their standard deviation."""
    got = model.predict(answers["images"], verbose=0)
    return float(np.abs(got - answers["logits"]).max() / answers["logits"].std())


def is_refused(entry, number, url, folder):
    """Whether a shipped hash keeps the served file out; None where none of the row's files has a public one."""
    hashed = [file for file in entry["files"] if file["sha256"] or file["sha256_prefix"] or file["md5"]]
    if not hashed:
        return None
    served = file_of(entry, number)["file"]
    use({**entry, "files": [{**hashed[0], "url": f"{url}/{served}"}]}, folder, folder / "refusing")
    try:
        load(entry, entry["input_size"])
    except DownloadError as error:
        return re.search("its (sha256|md5) is", str(error)) is not None
    return False


@dataclasses.dataclass
class Result:
    name: str
    cold: float
    warm: float
    errors: list
    refused: bool | None

    @property
    def passes(self):
        return max(self.errors) <= TOLERANCE and self.refused is not False


def check(entry, number, pythons):
    """One row of the manifest."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        url = serve(folder)
        path = folder / file_of(entry, number)["file"]
        write_peer_file(pythons, entry, path)
        refused = is_refused(entry, number, url, folder)
        use(served_entry(entry, number, url, path), folder, folder / "home")
        errors, seconds = [], []
        for side in (entry["input_size"], entry["input_size"], other_size(entry)):
            model, taken = load(entry, side)
            errors.append(error(model, np.load(f"{path}.{side}.npz")))
            seconds.append(taken)
            del model
            keras.backend.clear_session()
            gc.collect()
        shutil.rmtree(folder / "home")
        return Result(f"{entry['variant']}.{entry['tag']} {entry['input_size']}", *seconds[:2], errors, refused)


def is_wanted(entry, patterns):
    names = (entry["variant"], f"{entry['variant']}.{entry['tag']}")
    return any(fnmatch.fnmatch(name, pattern) for name in names for pattern in patterns)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timm-python", required=True, help="interpreter of an environment with timm")
    parser.add_argument("--kecam-python", required=True, help="interpreter of an environment with the Keras peer")
    parser.add_argument("--only", nargs="+", default=["*"], help="patterns of variants, or of variant.tag")
    arguments = parser.parse_args()
    pythons = {"timm": arguments.timm_python, "kecam": arguments.kecam_python}
    logging.getLogger("keras_coatnet").setLevel(logging.ERROR)
    entries = json.loads(shipped_manifest().read_text(encoding="utf-8"))
    print(f"{'row':48}{'cold s':>8}{'warm s':>8}{'cold':>10}{'warm':>10}{'resized':>10}  shipped hash")
    failed = []
    for number, entry in enumerate(entries):
        if not is_wanted(entry, arguments.only):
            continue
        result = check(entry, number, pythons)
        errors = "".join(f"{value:10.1e}" for value in result.errors)
        refused = {True: "refused", False: "TAKEN", None: "none public"}[result.refused]
        verdict = "" if result.passes else "  FAILS"
        print(f"{result.name:48}{result.cold:8.1f}{result.warm:8.1f}{errors}  {refused}{verdict}", flush=True)
        if not result.passes:
            failed.append(result.name)
    print(f"failed: {', '.join(failed)}" if failed else "all within tolerance")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
