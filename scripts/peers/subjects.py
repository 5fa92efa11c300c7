"""The jobs of `benchmark_peers`: the peers' models, their exports and ours, with the same weights and pictures."""

import fnmatch
import os
import pathlib

import numpy as np

import keras_coatnet as kc
from keras_coatnet.allocator import SWITCH, VARIABLES
from keras_coatnet.benchmark.compare import subject_job, thread_environment
from keras_coatnet.benchmark.workers import Job, workers_at
from peers.tensors import draw_scene

BACKENDS = ("jax", "tensorflow", "torch")
PATH = (str(pathlib.Path(__file__).resolve().parents[1]),)
KERAS_FUNCTIONS = {"inference": "predict_on_batch", "training": "fit"}
PICTURES = 4


def peer_of(variant):
    """Whose architecture, and whose checkpoints, a variant's are."""
    return "timm" if variant.startswith("coat_") or "_rw" in variant or variant.endswith("_timm") else "kecam"


def prepare(variant, sides, options):
    """Weights in the peer's format, pictures and, of timm, ONNX files; what is there is taken.

    Returns: {"weights", "images", "onnx", "legacy"}: paths as text.
    """
    folder = options.folder.resolve() / f"{variant}_{sides[0]}x{sides[1]}"
    folder.mkdir(parents=True, exist_ok=True)
    peer = peer_of(variant)
    names = {"weights": "weights.safetensors" if peer == "timm" else "weights.h5", "images": "images.npy"}
    names |= {"onnx": "timm.onnx", "legacy": "timm_legacy.onnx"}
    files = {key: str(folder / name) for key, name in names.items()}
    if not os.path.exists(files["weights"]):
        from random_weights import fill

        model = kc.build(variant, input_shape=(*sides, 3), classifier_activation=None)
        fill(model)
        kc.save_checkpoint(model, files["weights"], peer)
    if not os.path.exists(files["images"]):
        scenes = [draw_scene(f"{variant} {number}", sides) for number in range(PICTURES)]
        np.save(files["images"], np.concatenate(scenes))
    wanted = any(is_wanted(name, options) for name in ("onnxruntime", "openvino", "onnxruntime, legacy export"))
    if peer == "timm" and "inference" in options.mode and wanted and not os.path.exists(files["legacy"]):
        keywords = {"variant": variant, "sides": sides, "weights": files["weights"]}
        keywords |= {"path": files["onnx"], "legacy_path": files["legacy"]}
        export = Job("export", "peers.timm_speed:export_onnx", keywords, python=options.timm_python, path=PATH)
        with workers_at([export]):
            pass
    return files


def is_wanted(name, options):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in options.subjects)


def list_jobs(variant, sides, mode, batch_size, files, options):
    """All jobs of a comparison, those that others are held against first."""
    shared = {"sides": sides, "images": files["images"], "batch_size": batch_size}
    make_peers = timm_jobs if peer_of(variant) == "timm" else kecam_jobs
    jobs = [
        *make_peers(variant, mode, files, shared, options),
        *our_jobs(variant, sides, mode, batch_size, files, options),
    ]
    return [job for job in jobs if is_wanted(job.name, options)]


def peer_job(name, maker, keywords, python, options, keeps_memory=False):
    environment = thread_environment(options.threads) | {"CUDA_MODULE_LOADING": "LAZY"}
    environment |= VARIABLES if keeps_memory else dict.fromkeys(VARIABLES)
    return Job(name, maker, keywords, python=python, environment=environment, path=PATH, cores=options.cores)


def timm_jobs(variant, mode, files, shared, options):
    model = {"variant": variant, "weights": files["weights"], "mode": mode, "dtype": options.dtype, **shared}
    maker, python = "peers.timm_speed:open_model", options.timm_python
    yield peer_job("timm+m", maker, model, python, options, keeps_memory=True)
    yield peer_job("timm", maker, model, python, options)
    if mode == "inference" and options.dtype == "float32":
        maker_of_files, file = "peers.runtime_speed:open_file", {"threads": options.threads, **shared}
        for name, key in (("onnxruntime", "onnx"), ("onnxruntime, legacy export", "legacy")):
            keywords = {"path": files[key], "runtime": "onnxruntime", **file}
            yield peer_job(name, maker_of_files, keywords, python, options)
        yield peer_job(
            "openvino", maker_of_files, {"path": files["onnx"], "runtime": "openvino", **file}, python, options
        )
    yield peer_job("timm compiled+m", maker, {**model, "compiled": True}, python, options, keeps_memory=True)


def kecam_jobs(variant, mode, files, shared, options):
    model = {"variant": variant, "weights": files["weights"], "mode": mode, **shared}
    for name, keeps_memory in (("kecam+m", True), ("kecam", False)):
        yield peer_job(name, "peers.kecam_speed:open_model", model, options.kecam_python, options, keeps_memory)


def our_jobs(variant, sides, mode, batch_size, files, options):
    model = {"image_size": sides, "weights": files["weights"], "images": files["images"], "batch_size": batch_size}
    model |= {"dtype": policy_of(options.dtype, mode)}
    threads = thread_environment(options.threads) | dict.fromkeys(VARIABLES)
    for backend in BACKENDS:
        forms = {"": {}, ", plain": {"environment": {SWITCH: "0"}}, ", keras": {"mode": KERAS_FUNCTIONS[mode]}}
        if mode == "inference":
            forms[", fused"] = {"fused": True}
        for ending, form in forms.items():
            keywords = {"mode": mode, **model, **form}
            environment = threads | keywords.pop("environment", {})
            label = f"ours {backend}{ending}"
            yield subject_job(variant, backend, environment, options.cores, label, **keywords)


def policy_of(dtype, mode):
    """Training keeps float32 weights."""
    return f"mixed_{dtype}" if mode == "training" and dtype != "float32" else dtype
