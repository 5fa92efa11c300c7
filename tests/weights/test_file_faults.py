"""Checkpoint files that are damaged or mean harm: one clear error each, nothing allocated, the model untouched."""

import json
import struct
import zipfile

import keras
import numpy as np
import pytest
from checkpoints import make
from refusing import HUGE, SHAPE, refused, saved

import keras_coatnet as kc


@pytest.fixture(scope="module")
def model():
    return make("coatnet_0_rw", input_shape=SHAPE)


@pytest.fixture(scope="module")
def kecam_model():
    return make("coatnet_0", input_shape=SHAPE)


# safetensors


def rewrite_header(path, change):
    """Apply a function to the header of a safetensors file."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    change(header)
    packed = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(packed)) + packed + data[8 + length :])


def overlap(header):
    first, second = [name for name in header if name != "__metadata__"][:2]
    header[second]["data_offsets"] = header[first]["data_offsets"]
    header[second]["shape"] = header[first]["shape"]


def reach_out(header):
    header["head.fc.bias"]["data_offsets"] = [HUGE, HUGE + 20]


def declare_huge(header):
    header["head.fc.bias"]["shape"] = [HUGE]


def unknown_type(header):
    for tensor in header.values():
        if "dtype" in tensor and tensor["dtype"] == "F32":
            tensor["dtype"] = "F99"


def no_offsets(header):
    del header["head.fc.bias"]["data_offsets"]


@pytest.mark.parametrize("change", [overlap, reach_out, declare_huge, unknown_type, no_offsets])
def test_a_safetensors_header_that_lies_is_refused(model, change, tmp_path):
    path = saved(model, "timm", tmp_path / "file.safetensors")
    rewrite_header(path, change)
    refused(model, path, "is a damaged safetensors file")


@pytest.mark.parametrize("content", [b"", b"{}", struct.pack("<Q", HUGE) + b"{}", struct.pack("<Q", 2) + b"[]"])
def test_a_safetensors_file_that_is_none_is_refused(model, content, tmp_path):
    path = tmp_path / "file.safetensors"
    path.write_bytes(content)
    refused(model, path, "safetensors")


def test_brain_floats_in_safetensors_are_read(model, tmp_path):
    import ml_dtypes
    from safetensors.numpy import load_file

    path = saved(model, "timm", tmp_path / "file.safetensors")
    header, data = {}, b""
    for name, array in load_file(path).items():
        is_float = array.dtype == "float32"
        stored = array.astype(ml_dtypes.bfloat16 if is_float else "int64")
        offsets = [len(data), len(data) + stored.nbytes]
        header[name] = {"dtype": "BF16" if is_float else "I64", "shape": array.shape, "data_offsets": offsets}
        data += stored.tobytes()
        if name == "head.fc.bias":
            wanted = stored.astype("float32")
    packed = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(packed)) + packed + data)
    loaded = make("coatnet_0_rw", input_shape=SHAPE, seed=1)
    kc.load_checkpoint(loaded, path)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded.get_layer("predictions").bias), wanted)


# Any format

KECAM, TIMM, OWN = ("kecam", "file.h5"), ("timm", "file.safetensors"), ("keras", "file.weights.h5")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("kecam", "file.h5"),
        ("timm", "file.safetensors"),
        ("timm", "file.pth"),
        ("keras", "file.weights.h5"),
        ("keras", "file.keras"),
    ],
)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(source, name, share, model, kecam_model, tmp_path):
    if name.endswith(".pth"):
        pytest.importorskip("torch")
    which = kecam_model if source == "kecam" else model
    path = saved(which, source, tmp_path / name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(which, path, "damaged|no checkpoint of a known format|weights-only loader")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("source", "name"), [KECAM, TIMM, OWN])
def test_values_that_are_no_numbers_are_refused_by_name(source, name, value, tmp_path):
    broken = make("coatnet_0" if source == "kecam" else "coatnet_0_rw", input_shape=SHAPE)
    for layer in ("predictions", "stem"):
        variable = broken.get_layer(layer).weights[0]
        array = keras.ops.convert_to_numpy(variable).copy()
        array.flat[3] = value
        variable.assign(array)
    path = saved(broken, source, tmp_path / name)
    names = {
        "kecam": "stem_1_conv/kernel:0, predictions/kernel:0",
        "timm": r"stem\.conv1\.weight, head\.fc\.weight",
        "keras": "stem/convolution1/kernel, predictions/kernel",
    }[source]
    sound = make("coatnet_0" if source == "kecam" else "coatnet_0_rw", input_shape=SHAPE, seed=1)
    refused(sound, path, f"holds NaN or infinite values, so nothing was loaded; in {names}")


# PyTorch


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_a_tensor_that_repeats_one_number_without_end_is_refused(model, torch, tmp_path):
    path = saved(model, "timm", tmp_path / "file.pth")
    state = torch.load(path, weights_only=True)
    state["head.fc.weight"] = torch.zeros(1).expand(HUGE)
    torch.save(state, path)
    refused(model, path, r"head\.fc\.weight declares the shape \(1125899906842624,\), .* and stores 4")


@pytest.mark.parametrize("kind", ["sparse", "complex"])
def test_a_tensor_that_is_no_plain_array_is_refused(model, torch, kind, tmp_path):
    path = saved(model, "timm", tmp_path / "file.pth")
    state = torch.load(path, weights_only=True)
    weight = state["head.fc.weight"]
    state["head.fc.weight"] = weight.to_sparse() if kind == "sparse" else weight.to(torch.complex64)
    torch.save(state, path)
    refused(model, path, r"head\.fc\.weight is no plain tensor|weights-only loader")


def test_eight_bit_floats_are_read(model, torch, tmp_path):
    path = saved(model, "timm", tmp_path / "file.pth")
    state = torch.load(path, weights_only=True)
    state["head.fc.bias"] = state["head.fc.bias"].to(torch.float8_e4m3fn)
    torch.save(state, path)
    loaded = make("coatnet_0_rw", input_shape=SHAPE, seed=1)
    kc.load_checkpoint(loaded, path)
    bias = keras.ops.convert_to_numpy(loaded.get_layer("predictions").bias)
    np.testing.assert_array_equal(bias, state["head.fc.bias"].float().numpy())


def test_an_archive_that_unpacks_to_more_than_it_has_is_refused(model, torch, tmp_path):
    path = saved(model, "timm", tmp_path / "file.pth")
    packed = tmp_path / "packed.pth"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
        target.writestr("archive/data/bomb", bytes(10**7))
    refused(model, packed, "unpacks to .* bytes, more than")
