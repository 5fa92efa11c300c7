"""Ranges of int8 tensors: those that cost the least, where the calibrator takes the widest ever seen."""

import math

import numpy as np

BINS = 2048
LEVELS = 256
# Shares of a side of the seen range that are tried.
_SHARES = np.linspace(1.0, 0.04, 49)
_WITHIN_BIN = (-1 / 3, 0.0, 1 / 3)


def with_fitted_ranges(calibrated, pictures, names):
    """A calibrated file whose tensors have the range with the least squared error on the pictures.

    Where a tensor goes into a GELU or SiLU alone, the error is that behind it: far below zero there is nothing to tell
    apart.

    Args:
        calibrated: bytes of a float file with the range of every tensor, as TensorFlow's calibrator makes it.
        pictures: iterable of lists with one batch.
        names: of the tensors; those without a range, constants, stay as they are.

    Returns: bytes.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(calibrated, 0)
    graph = model.subgraphs[0]
    seen = {
        index: (float(tensor.quantization.min[0]), float(tensor.quantization.max[0]))
        for index, tensor in enumerate(graph.tensors)
        if tensor.name.decode() in names and _has_range(tensor)
    }
    functions = _functions_behind(model, schema)
    for index, counts in count_values(calibrated, pictures, seen).items():
        low, high = fit_range(counts, *seen[index], functions.get(index))
        graph.tensors[index].quantization.min = np.array([low], "float32")
        graph.tensors[index].quantization.max = np.array([high], "float32")
    builder = flatbuffers.Builder(len(calibrated))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _has_range(tensor):
    found = tensor.quantization
    return found is not None and found.min is not None and len(found.min) == 1 and found.min[0] < found.max[0]


def _functions_behind(model, schema):
    """index of a tensor -> the one activation function that reads it."""
    readers = {}
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        for index in operator.inputs:
            readers.setdefault(int(index), []).append(kind)
    builtin = schema.BuiltinOperator
    functions = {(builtin.GELU,): gelu, tuple(sorted((builtin.LOGISTIC, builtin.MUL))): silu}
    return {
        index: functions[tuple(sorted(kinds))] for index, kinds in readers.items() if tuple(sorted(kinds)) in functions
    }


def count_values(calibrated, pictures, seen):
    """Histograms of tensors over all pictures.

    Args:
        calibrated: bytes of the file.
        pictures: iterable of lists with one batch.
        seen: {index: (least, greatest) value}.

    Returns: {index: counts in `BINS` bins between the two}.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=calibrated,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    counts = {index: np.zeros(BINS) for index in seen}
    for (batch,) in pictures:
        interpreter.set_tensor(entry, batch)
        interpreter.invoke()
        for index, (low, high) in seen.items():
            position = (interpreter.get_tensor(index).ravel() - low) * (BINS / (high - low))
            counts[index] += np.bincount(np.clip(position, 0, BINS - 1).astype(np.int32), minlength=BINS)
    return counts


def fit_range(counts, low, high, function=None):
    """The range, zero included, that 256 levels are best spread over.

    Args:
        counts: values in each of `BINS` bins from `low` to `high`.
        low, high: the widest range.
        function: what the values go through; None is the identity.

    Returns: (low, high).
    """
    function = function or (lambda values: values)
    width = (high - low) / BINS
    centres = low + (np.arange(BINS) + 0.5) * width
    points = np.concatenate([centres + offset * width for offset in _WITHIN_BIN])
    wanted, weights = function(points), np.tile(counts, len(_WITHIN_BIN))

    def error(low_share, high_share):
        levels, nearest = quantized(points, low * low_share, high * high_share)
        return weights @ np.square(function(levels)[nearest] - wanted)

    low_share = high_share = 1.0
    # One side at a time, and again; of equal shares the first is the widest.
    for _ in range(2):
        if low < 0:
            low_share = min(_SHARES, key=lambda share: error(share, high_share))
        if high > 0:
            high_share = min(_SHARES, key=lambda share: error(low_share, share))
    return low * low_share, high * high_share


def quantized(values, low, high):
    """The 256 levels that int8 has from `low` to `high`, of which one is zero, and the index of each value's level."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / (LEVELS - 1)
    zero = np.round(-low / step)
    nearest = np.clip(np.round(values / step) + zero, 0, LEVELS - 1).astype(np.int32)
    return (np.arange(LEVELS) - zero) * step, nearest


def gelu(x):
    return 0.5 * x * (1 + np.array([math.erf(value * math.sqrt(0.5)) for value in x]))


def silu(x):
    return x / (1 + np.exp(-x))
