"""Matrices of transformer stages in 8 bits, a scale a column; what they multiply is rounded as it comes ("dynamic")."""

import contextlib
import logging
import os
import tempfile


def quantize_matrices(exported, path):
    """Write a model with its constant matrices, most of a CoAtNet's weights, in 8 bits.

    Args:
        exported: `onnx_ir.Model` whose transformer stages hold matrices, not convolutions.
        path: to write to.
    """
    import onnx_ir as ir
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _quietly():
        whole = os.path.join(folder, "whole.onnx")
        ir.save(exported, whole)
        quantize_dynamic(
            whole,
            path,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )


@contextlib.contextmanager
def _quietly():
    """onnxruntime advises to fold and shorten the graph first, which is done."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
