"""From a Keras model on the torch backend to an ONNX graph, rewritten for fast runtimes."""

import contextlib
import functools
import logging
import warnings

from keras_coatnet.layers.fast.forward import plain_forms

OPSET = 20
INPUT_NAME = "images"


def to_onnx(model, batch_size=None, channels_first=True):
    """The model as an `onnx_ir.Model` with the input "images", channels last.

    Args:
        model: Keras model of one input with known sides and one output, on the torch backend.
        batch_size: images a call; None leaves it open.
        channels_first: see `rewrite`.
    """
    exported = trace(model, batch_size)
    rewrite(exported.graph, channels_first)
    exported.graph.inputs[0].name = INPUT_NAME
    exported.graph.outputs[0].name = model.output_names[0]
    exported.producer_name = "keras_coatnet"
    return exported


def trace(model, batch_size=None):
    """PyTorch's own export of the model."""
    import torch

    # Two, since PyTorch takes a one for a number that never changes.
    images = torch.zeros((batch_size or 2, *model.input_shape[1:]), dtype=getattr(torch, model.input.dtype))
    dynamic_shapes = None if batch_size else [({0: torch.export.Dim("batch")},)]
    # The steps of `rewrite` know the layers' plain forms.
    with _quietly(), plain_forms(), torch.no_grad():
        program = torch.onnx.export(
            model.eval(), (images,), dynamo=True, opset_version=OPSET, dynamic_shapes=dynamic_shapes, verbose=False
        )
    return program.model


def rewrite(graph, channels_first=True):
    """Compute constants, fold norms, shorten attention, and put maps channels first where convolutions are.

    Args:
        graph: of `trace`.
        channels_first: whether transformer stages are channels first too, their linear maps 1x1 convolutions, which
            onnxruntime runs faster; else these stay products of matrices, which OpenVINO runs faster.
    """
    from keras_coatnet.deploy.formats import (
        onnx_activation,
        onnx_affine,
        onnx_attention,
        onnx_constants,
        onnx_layout,
        onnx_shapes,
    )

    steps = [onnx_constants.fold_constants, onnx_shapes.keep_batch, onnx_activation.fuse_gelu]
    steps += [onnx_affine.fold_affine_chains, onnx_attention.split_once]
    steps += [onnx_attention.put_channels_first] if channels_first else []
    for step in (*steps, functools.partial(onnx_layout.put_channels_first, transformers_too=channels_first)):
        step(graph)
        sweep(graph)


def sweep(graph):
    """Remove what nothing reads."""
    for node in reversed(graph):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]


@contextlib.contextmanager
def _quietly():
    """PyTorch's exporter warns of its own deprecated parts and of packages that nothing here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
