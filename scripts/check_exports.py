"""Exports variants at full size from every backend to every format, and says what each file is worth.

    python scripts/check_exports.py coatnet_0 --out out/exports          # files stay there, rows in rows.jsonl
    python scripts/check_exports.py --table --out out/exports            # the rows as Markdown

An export is a row: variant, backend, format, quantization, largest difference of the logits on photographs as a share
of their spread, agreement of the first class, size, seconds. A row that is there is not made again. Weights are random:
the agreement of integers means something on trained ones alone.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

VARIANTS = (
    "coatnet_0",
    "coatnet_0_rw",
    "coatnet_rmlp_nano_rw",
    "coatnext_nano_rw",
    "coatnet_2",
    "coat_lite_tiny",
    "coat_tiny",
)
BACKENDS = ("torch", "tensorflow", "jax")
FILES = {
    "saved_model": "saved_model",
    "litert": "model.tflite",
    "onnx": "model.onnx",
    "openvino": "model.xml",
    "pt2": "model.pt2",
    "stablehlo": "model.stablehlo",
}
# Made from one backend alone: the others hand over the same weights.
QUANTIZED = (
    ("litert", "float16"),
    ("litert", "dynamic"),
    ("litert", "int8"),
    ("onnx", "float16"),
    ("openvino", "float16"),
)
COLUMNS = ("variant", "from", "format", "difference", "agreement", "MB", "seconds")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", default=VARIANTS)
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--formats", nargs="+", default=tuple(FILES), choices=tuple(FILES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("VARIANT", "BACKEND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = options.out / "rows.jsonl"
    if options.table:
        return print_table(rows)
    if options.one:
        return export_all(*options.one, options, rows)
    for variant in options.variants:
        for backend in options.backends:
            command = [sys.executable, __file__, "--one", variant, backend, "--out", options.out]
            command += ["--formats", *options.formats]
            subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend}, check=True)
    return print_table(rows)


def export_all(variant, backend, options, rows):
    """All formats of one variant from one backend, each a row."""
    from random_weights import fill

    import keras_coatnet as kc

    wanted = [(format, None) for format in options.formats]
    if backend == BACKENDS[0]:
        wanted += [row for row in QUANTIZED if row[0] in options.formats]
    known = {key(row) for row in read(rows)}
    wanted = [each for each in wanted if (variant, backend, *each) not in known]
    if not wanted:
        return 0
    model = kc.build(variant)
    fill(model, negative_scales=False)
    sharpen(model)
    for format, quantization in wanted:
        folder = options.out / variant / backend / (quantization or "float32")
        folder.mkdir(parents=True, exist_ok=True)
        representative = calibration_pictures() if quantization == "int8" else None
        start = time.perf_counter()
        report = kc.export(
            model,
            folder / FILES[format],
            quantization=quantization,
            force=True,
            representative=representative,
        )
        row = {
            "variant": variant,
            "from": backend,
            "format": format,
            "quantization": quantization,
            "difference": report.difference,
            "agreement": report.agreement,
            "bytes": report.size,
            "seconds": time.perf_counter() - start,
            "path": os.fspath(report.path),
        }
        with rows.open("a") as file:
            file.write(json.dumps(row) + "\n")
    return 0


def sharpen(model):
    """Random logits are all alike; a larger classifier spreads them as a trained one's."""
    kernel = model.get_layer("predictions").kernel
    kernel.assign(kernel * 3)


def calibration_pictures():
    """Photographs shipped with the package, each in a few crops: enough for ranges, too few for accuracy."""
    from keras_coatnet.deploy.photographs import open_photographs

    pictures = []
    for photograph in open_photographs(None):
        height, width = photograph.pixels.shape[:2]
        for top, left in ((0, 0), (height // 4, width // 4), (height // 2, width // 2)):
            pictures.append(photograph.pixels[top : top + height // 2, left : left + width // 2])
    return pictures


def read(rows):
    return [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []


def key(row):
    return row["variant"], row["from"], row["format"], row["quantization"]


def print_table(rows):
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for row in read(rows):
        kind = row["format"] if row["quantization"] is None else f"{row['format']} {row['quantization']}"
        cells = (
            row["variant"],
            row["from"],
            kind,
            f"{row['difference']:.1e}",
            f"{row['agreement']:.0%}",
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['seconds']:.0f}",
        )
        print(f"| {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
