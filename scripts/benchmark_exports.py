"""Speed of our ONNX and OpenVINO files against timm's own ONNX exports of the same weights, in the same runtimes.

    python scripts/benchmark_exports.py --timm-python PATH [VARIANT ...] [--batches 1 8] [--rounds 7] [--json FILE]

`--timm-python` names the interpreter of an environment with timm, onnx and onnxscript. There timm's model gets random
weights, is saved, and is exported by PyTorch's exporter and by its legacy one; the faster of both counts. Ours loads
the same weights and is exported by `keras_coatnet.export`. Every file runs in a process of its own, all alive, woken in
turn (A B C A B C ...); before that its logits are compared with timm's. Printed are medians over rounds of time, and of
timm's time over ours in the same round with the smallest and largest.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

SCRIPTS = pathlib.Path(__file__).resolve().parent
SIDE = 224

TIMM = """
import sys
import numpy as np, torch
from peers import timm_peer
variant, side, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
model = timm_peer.build(variant, (side, side))
timm_peer.randomise(model, variant)
timm_peer.save(model, folder + "/weights.safetensors")
images = timm_peer.draw_scene(variant, (side, side))
images = np.concatenate([images, images[:, :, ::-1]])[:2].copy()
x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
with torch.no_grad():
    np.savez(folder + "/answer.npz", images=images, logits=model(x).numpy())
names = dict(input_names=["images"], output_names=["logits"])
batch = torch.export.Dim("batch")
torch.onnx.export(model, (x,), folder + "/timm.onnx", dynamo=True, opset_version=20, dynamic_shapes=({0: batch},),
                  external_data=False, **names)
torch.onnx.export(model, (x,), folder + "/timm, legacy exporter.onnx", dynamo=False, opset_version=17,
                  dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}}, **names)
"""

OURS = """
import sys
import keras_coatnet as kc
variant, side, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
model = kc.CoAtNet(variant, input_shape=(side, side, 3), classifier_activation=None)
kc.load_checkpoint(model, folder + "/weights.safetensors")
kc.export(model, folder + "/ours.onnx")
kc.export(model, folder + "/ours.xml")
"""

# Answers each number of calls on its input with the seconds of one call.
WORKER = """
import sys, time
import numpy as np
runtime, path, batch, threads, answer = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
if runtime == "onnxruntime":
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    # Threads that spin while others' processes are measured would take their cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0].shape[1] == 3
    run = lambda x: session.run(None, {session.get_inputs()[0].name: x})[0]
else:
    import openvino
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    model = openvino.Core().compile_model(path, "CPU", settings)
    first = model.input(0).partial_shape[1].get_length() == 3
    run = lambda x: model(x)[0]
expected = np.load(answer)
images = expected["images"].transpose(0, 3, 1, 2) if first else expected["images"]
images = np.ascontiguousarray(images)
print(float(np.abs(run(images) - expected["logits"]).max() / expected["logits"].std()), flush=True)
x = np.ascontiguousarray(np.resize(images, (batch, *images.shape[1:])))
run(x), run(x)
for line in sys.stdin:
    calls, start = int(line), time.perf_counter()
    for _ in range(calls):
        run(x)
    print((time.perf_counter() - start) / calls, flush=True)
"""


def python(interpreter, code, *arguments, backend=None):
    """Run a program that must not fail."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent)]))
    if backend:
        environment["KERAS_BACKEND"] = backend
    subprocess.run([interpreter, "-c", code, *map(str, arguments)], env=environment, check=True, stdout=sys.stderr)


class Worker:
    """A process that keeps one file loaded."""

    def __init__(self, runtime, path, batch, threads):
        command = [sys.executable, "-c", WORKER, runtime, str(path), str(batch), str(threads)]
        command.append(str(path.parent / "answer.npz"))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.difference = float(self.process.stdout.readline())

    def seconds(self, calls):
        """Seconds of one call, the mean of `calls`."""
        self.process.stdin.write(f"{calls}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(runtime, paths, batch, options):
    """{file: {"difference", "seconds": [one a round]}}, interleaved."""
    # Whoever is woken first after a pause is slower, so that the first file is measured twice and counted once.
    workers = [Worker(runtime, path, batch, options.threads) for path in (paths[0], *paths)]
    try:
        calls = max(1, round(options.burst / workers[0].seconds(2)))
        rounds = [[worker.seconds(calls) for worker in workers][1:] for _ in range(options.rounds)]
    finally:
        for worker in workers:
            worker.close()
    return {
        path.stem: {"difference": worker.difference, "seconds": list(seconds), "megabytes": size(path)}
        for path, worker, seconds in zip(paths, workers[1:], zip(*rounds, strict=True), strict=True)
    }


def size(path):
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    return sum(file.stat().st_size for file in files) / 1e6


def report(variant, runtime, batch, found):
    """Print a table; returns a record of it."""
    median = {name: statistics.median(row["seconds"]) for name, row in found.items()}
    base = min((name for name in found if name.startswith("timm")), key=median.get)
    print(f"\n{variant}, {runtime}, batch {batch}: milliseconds, speed over {base!r} (lowest-highest round)")
    for name, row in found.items():
        ratios = [theirs / mine for theirs, mine in zip(found[base]["seconds"], row["seconds"], strict=True)]
        middle, low, high = row["speed"] = [statistics.median(ratios), min(ratios), max(ratios)]
        print(
            f"  {name:24} {1e3 * median[name]:8.1f}   {middle:.3f} ({low:.2f}-{high:.2f})"
            f"   {row['megabytes']:6.1f} MB   difference of logits {row['difference']:.0e} of their spread"
        )
    return {"variant": variant, "runtime": runtime, "batch": batch, "base": base, "files": found}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", default=["coatnet_0_rw"])
    parser.add_argument("--timm-python", required=True)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument(
        "--runtimes", nargs="+", choices=("onnxruntime", "openvino"), default=["onnxruntime", "openvino"]
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--burst", type=float, default=0.5, help="seconds that each file runs in a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=pathlib.Path, help="keeps the files, and takes those it finds there")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    records = []
    with tempfile.TemporaryDirectory() as temporary:
        for variant in options.variants:
            folder = (options.folder or pathlib.Path(temporary)).resolve() / variant
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "timm.onnx").exists():
                python(options.timm_python, TIMM, variant, SIDE, folder)
            if not (folder / "ours.xml").exists():
                python(sys.executable, OURS, variant, SIDE, folder, backend="torch")
            theirs = [folder / "timm.onnx", folder / "timm, legacy exporter.onnx"]
            for runtime in options.runtimes:
                ours = folder / ("ours.onnx" if runtime == "onnxruntime" else "ours.xml")
                for batch in options.batches:
                    found = measure(runtime, [*theirs, ours], batch, options)
                    records.append(report(variant, runtime, batch, found))
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
