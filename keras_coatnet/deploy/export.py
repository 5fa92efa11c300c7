"""One call from a model to a file that ships, compared with its model in the runtime that will run it."""

import dataclasses

import numpy as np

from keras_coatnet.deploy import arguments, handover, metadata, verify
from keras_coatnet.deploy.formats import find_format
from keras_coatnet.deploy.photographs import open_photographs
from keras_coatnet.deploy.pixels import as_bytes, as_floats
from keras_coatnet.deploy.prepare import as_float32, at_size, with_byte_inputs, without_norms
from keras_coatnet.deploy.request import Request
from keras_coatnet.deploy.staging import check_target, size_of, staging, target_of, write_metadata_beside
from keras_coatnet.prediction.inputs import preprocess_input, preprocessing_of, takes_channels_first

# A difference is the largest of all pictures; more of them take time and say little more.
MOST_COMPARED = 64


def export(
    model,
    path,
    format=None,
    *,
    batch_size=None,
    image_size=None,
    inputs="float",
    quantization=None,
    representative=None,
    tolerance=None,
    force=False,
    labels=None,
):
    """Writes a model as a file for another runtime, and compares the file with the model.

    The model is rebuilt in float32, resized, its norms are folded (`fuse`), and the file is written by the backend that
    the format needs, in a child process where it is not the current one. Then the file is loaded in its own runtime and
    answers photographs; a line with its difference from the model is printed. A file that differs by more than the
    tolerance is not kept, nor one whose export was interrupted.

    Args:
        model: Keras model with one input, RGB pictures, and one output, on any backend. One that is not built as this
            package does (other layers in front or behind) is exported unfused.
        path: of the file or folder.
        format: "saved_model", "litert", "onnx", "openvino", "pt2" or "stablehlo"; None is what the path's ending says:
            .tflite, .onnx, .xml, .pt2, .stablehlo, or none for a SavedModel folder.
        batch_size: images a call, or "dynamic"; None is 1 for LiteRT and dynamic for all others.
        image_size: (height, width) or one number; None is the model's own.
        inputs: "float", prepared pictures; "uint8", pictures from 0 to 255, normalised inside (a SavedModel takes any
            size of them, cropped and resized inside); or "jpeg", encoded files (SavedModel).
        quantization: None, "float16", "dynamic" (integer weights) or "int8" (and activations, by `representative`).
        representative: pictures to compare on and to take int8's ranges from: a folder, a list of paths or pictures, or
            an array of them, values from 0 to 255; None is four photographs of the package, not for int8.
        tolerance: largest difference of logits, as a share of their spread; None is 1e-4, and 2e-2 for float16;
            integers have none.
        force: replace what is at `path`.
        labels: class names that the file shall hold, name of a label set, or None: those of the model's weights.

    Returns: `ExportReport`.
    Raises:
        ValueError: anything above that cannot be, before any work; `DiffersTooMuch` for a file beyond the tolerance.
        FileExistsError, FileNotFoundError: something is at the path, or it has no folder.
        ModuleNotFoundError: a package is missing; the message says what to install.
        ExportFailed: the writer or the runtime of the format failed.
    """
    format = find_format(path, format)
    request = check_all(model, format, batch_size, image_size, inputs, quantization, representative, tolerance, labels)
    path = target_of(path)
    check_target(path, format, force)
    arguments.check_packages(path, format)
    photographs = open_photographs(representative)
    with staging(path, format) as staged:
        report = _write(model, staged, format, request, photographs, tolerance, labels)
    report = dataclasses.replace(report, path=path)
    print(report)  # noqa: T201
    return report


def check_all(model, format, batch_size, image_size, inputs, quantization, representative, tolerance, labels):
    """The `Request` that these arguments of `export` make.

    Raises: ValueError for what cannot be.
    """
    arguments.check_model(model)
    arguments.check_kind(inputs, quantization, format)
    arguments.check_preprocessing(model, inputs, format)
    arguments.check_tolerance(tolerance)
    batch_size = arguments.checked_batch_size(batch_size, format)
    size = arguments.checked_image_size(image_size, model, format, inputs)
    metadata.labels_of(model, labels)
    if quantization == "int8" and representative is None:
        raise ValueError(
            'quantization="int8" takes its ranges from pictures such as the model will see: say representative=, a '
            "folder or an array of them."
        )
    return Request(format.name, batch_size, size, inputs, quantization, preprocessing=preprocessing_of(model))


def _write(model, path, format, request, photographs, tolerance, labels):
    """Writes the file to a path that is not its last one, and compares it. Returns an `ExportReport`."""
    reference = at_size(as_float32(model), request.image_size)
    activation = verify.output_activation(reference)
    request = dataclasses.replace(request, metadata=metadata.describe(reference, request, activation, labels))
    prepared, given = zip(*(_as_taken(each, reference, request) for each in photographs), strict=True)
    if request.quantization == "int8":
        request = dataclasses.replace(request, calibration=np.stack(given))
    prepared, given = prepared[:MOST_COMPARED], given[:MOST_COMPARED]
    expected = handover.answers_of_model(reference, prepared)
    verify.check_reference(expected, model.name)
    fused, is_fused = without_norms(reference)
    ready = with_byte_inputs(fused, request)
    found = handover.write_and_answer(ready, path, request, format.backend, given)
    comparison = verify.compare(expected, found, activation, request.quantization)
    verify.check(comparison, path, request.quantization, tolerance)
    if not format.embeds_metadata:
        write_metadata_beside(path, request.metadata)
    return verify.ExportReport(path, format.name, size_of(path, format), request.quantization, is_fused, comparison)


def _as_taken(photograph, model, request):
    """(the picture as the model takes it, as the file takes it), each without a batch axis."""
    (prepared,) = preprocess_input([photograph.pixels], model)
    if request.inputs == "jpeg":
        return prepared, np.frombuffer(photograph.encoded(), np.uint8)
    if request.takes_whole_pictures:
        return prepared, photograph.pixels
    if request.inputs == "float":
        return prepared, prepared
    # Both get the same bytes, so that nothing but the file is compared.
    rounded = as_bytes(prepared, request.preprocessing, takes_channels_first(model))
    return as_floats(rounded, request.preprocessing, takes_channels_first(model)), rounded
