"""What `export` is asked, checked before any work."""

import difflib
import math
import numbers
import os
from importlib.util import find_spec

import keras

from keras_coatnet import registry
from keras_coatnet.deploy.formats import FORMATS
from keras_coatnet.images.preprocess import RESIZE_FIRST
from keras_coatnet.prediction.inputs import preprocessing_of, takes_channels_first

FLOAT, BYTES, ENCODED = "float", "uint8", "jpeg"
INPUTS = (FLOAT, BYTES, ENCODED)
QUANTIZATIONS = ("float16", "dynamic", "int8")
DYNAMIC = "dynamic"


def check_model(model):
    """Raises ValueError for what no format can hold."""
    if not isinstance(model, keras.Model):
        raise ValueError(f"export takes a Keras model; got {type(model).__name__}.")
    if not model.built or not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise ValueError(
            f"{model.name!r} is not built, or no Functional or Sequential model: its inputs are unknown. Build it with "
            "an Input, or wrap it: keras.Model(inputs, model(inputs))."
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"export takes a model with one input and one output; {model.name!r} has {len(model.inputs)} and "
            f"{len(model.outputs)}. keras.Model(model.input, one_of_them) makes one."
        )
    takes_channels_first(model)  # refuses what takes no RGB pictures
    quantized = [layer.name for layer in model._flatten_layers() if is_quantized(layer)]
    if quantized:
        raise ValueError(
            f"{model.name!r} is quantized ({quantized[0]}, {len(quantized)} layers in all): export the float model, "
            'with quantization="int8" where the format has it.'
        )


def is_quantized(layer):
    return getattr(layer.dtype_policy, "quantization_mode", None) is not None


def sides_of(model):
    """(height, width) of a model's pictures; None where a side is open."""
    shape = model.input_shape
    return tuple(shape[2:] if takes_channels_first(model) else shape[1:3])


def checked_batch_size(batch_size, format):
    """Images a call, None where it stays open.

    Raises: ValueError for anything but a whole number from 1 up, "dynamic" or None.
    """
    if batch_size is None:
        return format.default_batch_size
    if batch_size == DYNAMIC:
        return None
    if isinstance(batch_size, bool) or not isinstance(batch_size, numbers.Integral) or batch_size < 1:
        raise ValueError(f'batch_size must be a whole number from 1 up, "dynamic" or None; got {batch_size!r}.')
    return int(batch_size)


def checked_image_size(image_size, model, format, inputs):
    """(height, width) that a file shall take; None where both stay open.

    Raises: ValueError for what is no size, or an open one where that cannot be.
    """
    if image_size is None:
        sides = sides_of(model)
        if None not in sides:
            return sides
        if sides != (None, None) or not format.takes_open_sizes or inputs != FLOAT:
            what = f"the format {format.name}" + ("" if inputs == FLOAT else f" with inputs={inputs!r}")
            raise ValueError(
                f"{model.name!r} takes pictures of any size, {what} has to know it: say image_size=(height, width)."
            )
        return None
    sides = (image_size, image_size) if isinstance(image_size, numbers.Integral) else image_size
    whole = isinstance(sides, (tuple, list)) and len(sides) == 2 and all(map(_is_positive_integer, sides))
    if not whole:
        raise ValueError(f"image_size must be (height, width) or one whole number, from 1 up; got {image_size!r}.")
    sides = tuple(map(int, sides))
    check_size(model, sides)
    return sides


def check_size(model, image_size):
    """Raises ValueError for a size that a model cannot be brought to."""
    if image_size == sides_of(model):
        return
    if getattr(model, "spec", None) is not None:
        registry.count(model.spec, image_size)
    elif any(side not in (None, asked) for side, asked in zip(sides_of(model), image_size, strict=True)):
        raise ValueError(
            f"Only models of this package, which have a spec, are resized; {model.name!r} takes pictures of "
            f"{sides_of(model)}, and image_size asks for {image_size}."
        )


def _is_positive_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= 1


def check_kind(inputs, quantization, format):
    """Raises ValueError for an input or a quantization that is unknown, or that the format does not have."""
    _check_choice("inputs", inputs, INPUTS, format.name, format.inputs, lambda row: row.inputs)
    if quantization is not None:
        allowed = format.quantizations
        _check_choice("quantization", quantization, QUANTIZATIONS, format.name, allowed, lambda row: row.quantizations)


def _check_choice(argument, value, known, format_name, allowed, of_row):
    if value not in known:
        nearest = difflib.get_close_matches(str(value), known, n=1)
        hint = f" Nearest: {nearest[0]!r}." if nearest else ""
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, known))}; got {value!r}.{hint}")
    if value not in allowed:
        others = [name for name, row in FORMATS.items() if value in of_row(row)]
        raise ValueError(
            f"{format_name} files cannot have {argument}={value!r}; of the formats, {', '.join(others) or 'none'} can."
        )


def check_preprocessing(model, inputs, format):
    """Raises ValueError where pictures shall be resized inside the file in a way that its graph does not know."""
    preprocessing = preprocessing_of(model)
    inside = format.is_folder and inputs != FLOAT
    if inside and preprocessing.order == RESIZE_FIRST and preprocessing.interpolation == "nearest":
        raise ValueError('inputs="uint8" and "jpeg" resize by a filter; this model\'s preprocessing says "nearest".')


def check_tolerance(tolerance):
    """Raises ValueError for anything but a number above 0, or None."""
    if tolerance is None:
        return
    number = isinstance(tolerance, numbers.Real) and not isinstance(tolerance, bool)
    if not (number and tolerance > 0 and not math.isnan(tolerance)):
        raise ValueError(
            f"tolerance must be a number above 0, a share of the logits' spread, or None; got {tolerance!r}."
        )


def check_packages(path, format):
    """Raises ModuleNotFoundError, one line with what to install, where a package is missing that the format needs."""
    missing = [name for name in (format.backend, *format.packages) if find_spec(name) is None]
    if not missing:
        return
    extras = [name for name in (format.backend,) if name in missing]
    extras += ["export"] if set(missing) & set(format.packages) else []
    names = " and ".join(name.replace("_", "-") for name in missing)
    raise ModuleNotFoundError(
        f"Writing {os.path.basename(path)} needs {names}, not installed here: "
        f"pip install 'keras-coatnet[{','.join(extras)}]'",
        name=missing[0],
    )
