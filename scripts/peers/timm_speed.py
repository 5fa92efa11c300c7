"""timm's models as something to time (see `keras_coatnet/benchmark/worker_process.py`), and their export to ONNX.

Needs timm 1.0.31 and torch; onnx and onnxscript to export.
"""

import contextlib

import numpy as np
import torch

from peers import coat_peer, timm_peer

LEARNING_RATE, WEIGHT_DECAY = 1e-4, 0.05
SHOWN_OUTPUTS = 2


def open_model(mark, variant, *, sides, weights, images, batch_size, mode="inference", compiled=False, dtype="float32"):
    """timm's model as it is fastest in eager mode, channels last, with weights that ours wrote.

    Args:
        mark: function of a step's name.
        variant: our name.
        sides: (H, W) of the pictures.
        weights: path of a `.safetensors` file of timm's names; None leaves the fresh ones.
        images: path of a `.npy` file of pictures, channels last, to answer; None is noise.
        batch_size: pictures of a call.
        mode: "inference" or "training", a step of AdamW.
        compiled: whether `torch.compile` compiles it.
        dtype: "bfloat16" computes in it, training with float32 weights.

    Returns: what `worker_process` wants of a maker.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    mark("import")
    model = build(variant, sides, weights).to(device=device, memory_format=torch.channels_last)
    x = batch_of(images, batch_size, sides).to(device)
    half = dtype == "bfloat16"
    if half and mode == "inference":
        model, x = model.to(torch.bfloat16), x.to(torch.bfloat16)
    runnable = torch.compile(model) if compiled else model
    mark("build")
    if mode == "inference":
        call = answer(runnable, x)
    else:
        call = training_step(model, runnable, x, torch.arange(batch_size, device=device) % 1000, half)
    return {
        "calls": {"run": call},
        "outputs": lambda found: np.atleast_2d(found.detach().float().cpu().numpy())[:SHOWN_OUTPUTS],
        "about": {
            "runtime": "timm",
            "image_size": sides,
            "images_a_call": batch_size,
            "threads": torch.get_num_threads(),
        },
        "device_peak": lambda: torch.cuda.max_memory_allocated() if device == "cuda" else None,
    }


def build(variant, sides, weights=None):
    """In inference mode."""
    model = (coat_peer if variant.startswith("coat_") else timm_peer).build(variant, sides)
    if weights is not None:
        timm_peer.load_exactly(model, weights)
    return model


def batch_of(path, batch_size, sides):
    """The pictures of a file, again and again where the batch is larger, channels last in memory."""
    if path is None:
        pictures = np.random.default_rng(0).standard_normal((batch_size, *sides, 3)).astype("float32")
    else:
        pictures = np.load(path)
        pictures = np.resize(pictures, (batch_size, *pictures.shape[1:]))
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def answer(model, x):
    def call():
        with torch.inference_mode():
            outputs = model(x)
        if x.is_cuda:
            torch.cuda.synchronize()
        return outputs

    return call


def training_step(model, runnable, x, labels, half):
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def call():
        optimizer.zero_grad(set_to_none=True)
        precision = torch.autocast(x.device.type, torch.bfloat16) if half else contextlib.nullcontext()
        with precision:
            logits = runnable(x)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimizer.step()
        if x.is_cuda:
            torch.cuda.synchronize()
        return loss

    return call


def export_onnx(mark, variant, *, sides, weights, path, legacy_path):
    """Writes timm's own ONNX files, for any batch size, by both of PyTorch's exporters: a maker without calls."""
    mark("import")
    model = build(variant, sides, weights)
    x = torch.zeros(2, 3, *sides)
    names = {"input_names": ["images"], "output_names": ["logits"]}
    shapes = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(
        model, (x,), path, dynamo=True, opset_version=20, dynamic_shapes=shapes, external_data=False, **names
    )
    axes = {"images": {0: "batch"}, "logits": {0: "batch"}}
    torch.onnx.export(model, (x,), legacy_path, dynamo=False, opset_version=17, dynamic_axes=axes, **names)
    return {"calls": {}}
