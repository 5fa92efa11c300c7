"""keras-coatnet convert: between the formats of all origins."""

import itertools

import keras
import numpy as np
import pytest
from checkpoints import make

import keras_coatnet as kc
from keras_coatnet import registry
from keras_coatnet.cli.main import main


@pytest.fixture
def narrow_variants(monkeypatch):
    """The names of two variants stand for narrow twins, which take seconds less."""
    for name, stem in (("coatnet_0", 8), ("coatnet_rmlp_2_rw", (4, 8))):
        twin = kc.narrow(name, (1, 1, 2, 1), (8, 32, 32, 32), stem)
        monkeypatch.setitem(registry.family_of(name)[0].variants, name, twin)


def arrays(path, name):
    """The weights of a file, as a model of open size reads them."""
    model = kc.build(name, input_shape=(None, None, 3), pretrained=path)
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights if "seed" not in weight.path]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("coatnet_0", "a.h5", "b.weights.h5"), ("coatnet_rmlp_2_rw", "a.weights.h5", "b.safetensors")],
)
@pytest.mark.usefixtures("narrow_variants")
def test_a_file_goes_there_and_back(name, first, second, tmp_path, capsys):
    paths = [str(tmp_path / part) for part in (first, second, "c." + first.partition(".")[2])]
    kc.save_checkpoint(make(name, input_shape=(64, 64, 3)), paths[0], "kecam" if first.endswith("a.h5") else "keras")
    for source, target in itertools.pairwise(paths):
        assert main(["convert", source, target, "--model", name]) == 0
        out = capsys.readouterr().out
        assert "5 classes" in out
        assert "largest logits difference, read back: 0.00e+00" in out
    for got, want in zip(arrays(paths[2], name), arrays(paths[0], name), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in.h5", "out.npz", "--model", "coatnet_0"], "OUT must end in one of .weights.h5, .keras, .h5"),
        (["in.h5", "out.h5", "--model", "coatnet_9"], "Unknown variant 'coatnet_9'"),
        (["in.h5", "out.keras", "--model", "coatnet_0"], "where there is no file"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["convert", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("narrow_variants")
def test_what_the_target_cannot_hold_is_told_and_not_written(tmp_path, capsys):
    source = tmp_path / "wide.weights.h5"
    kc.save_checkpoint(make("coatnet_0", input_shape=(64, 96, 3)), source)
    assert main(["convert", str(source), str(tmp_path / "wide.h5"), "--model", "coatnet_0"]) == 2
    assert "kecam cannot hold this model" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["wide.weights.h5"]
