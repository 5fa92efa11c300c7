"""What is timed computes what the model computes: answers, and the loss of the first step."""

import keras
import numpy as np
import pytest
from narrow_twins import narrow_twin
from running import quick_compilation

import keras_coatnet as kc
from keras_coatnet.allocator import SWITCH
from keras_coatnet.benchmark import machine
from keras_coatnet.benchmark.subjects import NotFinite, build_variant, check_subject, open_subject
from keras_coatnet.benchmark.worker_process import Steps
from keras_coatnet.layers import RelativeMultiHeadSelfAttention

SIDES = (32, 64)


@pytest.fixture(autouse=True)
def _other_tests_memory(monkeypatch):
    """This process is not the subjects' own."""
    monkeypatch.setenv(SWITCH, "0")


@pytest.fixture(scope="module")
def twin():
    """A narrow twin of two stages' kinds."""
    return kc.CoAtNet(
        narrow_twin("coatnet_0_rw"), input_shape=(*SIDES, 3), num_classes=5, classifier_activation=None,
        drop_path_rate=0.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def file(twin, tmp_path_factory):
    path = tmp_path_factory.mktemp("twin") / "twin.keras"
    twin.save(path)
    return str(path)


def first_outputs(*names, **options):
    """(rows that the first call comes to, what is said about it)."""
    steps = Steps()
    with quick_compilation():
        made = open_subject(steps.mark, *names, batch_size=2, **options)
        outputs = np.asarray(made["outputs"](made["calls"]["run"]()))
    assert set(steps.seconds) == {"import", "build"}
    return outputs, made["about"]


@pytest.mark.parametrize("mode", ["inference", "predict_on_batch"])
def test_answers_are_those_of_the_model(twin, file, mode, tmp_path):
    images = np.random.default_rng(3).standard_normal((2, *SIDES, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    outputs, about = first_outputs(file, mode=mode, images=str(tmp_path / "images.npy"))
    assert np.allclose(outputs, twin.predict_on_batch(images), atol=1e-5)
    assert tuple(about["image_size"]) == SIDES
    assert about["macs"] == kc.count(twin.spec, (*SIDES, 3)).macs - twin.spec.widths[-1] * (twin.spec.num_classes - 5)


def test_bare_step_and_keras_functions_start_from_the_same_loss(tmp_path):
    layers = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.GlobalAveragePooling2D()]
    file, losses = str(tmp_path / "small.keras"), {}
    keras.Sequential([keras.Input((8, 12, 3)), *layers, keras.layers.Dense(5)]).save(file)
    for mode in ("training", "train_on_batch"):
        (row,), about = first_outputs(file, mode=mode)
        assert about["images_a_call"] == 2
        (losses[mode],) = row
    assert np.isfinite(losses["training"])
    assert losses["training"] == pytest.approx(losses["train_on_batch"], rel=1e-4)


def test_fused_twin_answers_the_same(file):
    plain, _ = first_outputs(file)
    fused, _ = first_outputs(file, fused=True)
    assert np.allclose(plain, fused, atol=1e-4 * np.abs(plain).max())


def test_answer_that_is_no_number_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model.layers[-1].bias.assign([np.nan, 0.0])
    model.save(tmp_path / "broken.keras")
    with pytest.raises(NotFinite, match="answers NaN or infinity"):
        first_outputs(str(tmp_path / "broken.keras"))


def test_exported_file_is_not_trained(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be trained; got mode training"):
        check_subject(str(tmp_path / "a.onnx"), "training")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_limits_are_finite_calls(dtype, monkeypatch):
    monkeypatch.setattr(machine, "STREAM_BYTES", {"cpu": 4096, "gpu": 4096})
    made = machine.open_ceiling(lambda step: None, dtype=dtype, side=8)
    assert set(made["calls"]) == {"matmul", "stream"}
    for call in made["calls"].values():
        call(), call()
    assert made["about"]["flop"] == 2 * 8**3


def test_fresh_weights_are_the_same_in_every_process():
    answers = [first_outputs("test_coatnet", image_size=(32, 32))[0] for _ in range(2)]
    assert np.array_equal(*answers)


@pytest.mark.backend_free
def test_rematerialization_reaches_the_attention_layers():
    for wanted in (False, True):
        model = build_variant("test_coatnet", (32, 32), rematerialized=wanted)
        attention = [layer for layer in model._flatten_layers() if isinstance(layer, RelativeMultiHeadSelfAttention)]
        assert {layer.rematerialize for layer in attention} == {wanted}


@pytest.mark.backend_free
def test_spec_fields_change_the_model():
    plain, shallow = (build_variant("test_coatnet", (32, 32), fields=fields) for fields in (None, {"depths": [1] * 4}))
    assert shallow.count_params() < plain.count_params()
