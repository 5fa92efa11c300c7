"""HDF5 files that point elsewhere, declare what they do not store, or are not what they say."""

import zipfile

import h5py
import pytest
from checkpoints import assert_same_weights, make
from refusing import HUGE, SHAPE, refused, saved

import keras_coatnet as kc


@pytest.fixture(scope="module")
def model():
    return make("coatnet_0_rw", input_shape=SHAPE)


@pytest.fixture(scope="module")
def kecam_model():
    return make("coatnet_0", input_shape=SHAPE)


def test_an_external_link_is_not_followed(kecam_model, tmp_path):
    path, secret = saved(kecam_model, "kecam", tmp_path / "file.h5"), tmp_path / "secret.h5"
    with h5py.File(path, "r+") as file, h5py.File(secret, "w") as other:
        file.copy("predictions", other)
        del file["predictions"]
        file["predictions"] = h5py.ExternalLink(str(secret), "/predictions")
    refused(kecam_model, path, r"/predictions is a link to another place, /predictions in the file .*secret\.h5")


@pytest.mark.parametrize("where", ["predictions", "predictions/predictions", "predictions/predictions/bias:0"])
def test_a_soft_link_is_not_followed(kecam_model, where, tmp_path):
    path = saved(kecam_model, "kecam", tmp_path / "file.h5")
    with h5py.File(path, "r+") as file:
        file.move(where, "elsewhere")
        file[where] = h5py.SoftLink("/elsewhere")
    refused(kecam_model, path, f"/{where} is a link to another place, /elsewhere")


@pytest.mark.parametrize("where", ["layers", "vars"])
def test_a_link_in_our_own_format_is_not_followed(model, where, tmp_path):
    path, secret = saved(model, "keras", tmp_path / "file.weights.h5"), tmp_path / "secret.h5"
    with h5py.File(path, "r+") as file, h5py.File(secret, "w") as other:
        found = file["layers"] if where == "layers" else file["layers"][next(iter(file["layers"]))]["vars"]
        file.copy(found, other, name="x")
        name, parent = found.name, found.parent
        del file[name]
        parent[where] = h5py.ExternalLink(str(secret), "x")
    refused(model, path, f"{where} is a link to another place, x in the file")


def replace_bias(path, make_dataset):
    """Put another dataset in the place of the classifier's bias in a keras_cv_attention_models file."""
    with h5py.File(path, "r+") as file:
        group = file["predictions/predictions"]
        values = group["bias:0"][()]
        del group["bias:0"]
        make_dataset(group, values)


def outside(group, values):
    group.create_dataset("bias:0", values.shape, "float32", external=[("/etc/hostname", 0, values.nbytes)])


def virtual(group, values):
    layout = h5py.VirtualLayout(values.shape, "float32")
    layout[:] = h5py.VirtualSource("secret.h5", "x", values.shape)
    group.create_virtual_dataset("bias:0", layout)


@pytest.mark.parametrize("make_dataset", [outside, virtual])
def test_values_in_other_files_are_not_read(kecam_model, make_dataset, tmp_path):
    path = saved(kecam_model, "kecam", tmp_path / "file.h5")
    replace_bias(path, make_dataset)
    refused(kecam_model, path, "/predictions/predictions/bias:0 keeps its values in other files")


def sparse(group, values):
    group.create_dataset("bias:0", (HUGE,), "float32", chunks=(1024,))


def unwritten(group, values):
    group.create_dataset("bias:0", (2**40,), "float32")


def overflowing(group, values):
    group.create_dataset("bias:0", (2**33, 2**31), "float32", chunks=(1, 1024))


def bomb(group, values):
    group.create_dataset("bias:0", (2**35,), "float32", chunks=(2**20,), compression="gzip")[:1000] = 0


@pytest.mark.parametrize("make_dataset", [sparse, unwritten, overflowing, bomb])
def test_a_huge_declared_shape_is_refused_before_it_is_allocated(kecam_model, make_dataset, tmp_path):
    path = saved(kecam_model, "kecam", tmp_path / "file.h5")
    replace_bias(path, make_dataset)
    refused(kecam_model, path, r"/predictions/predictions/bias:0 declares .* and stores")


def test_a_compressed_dataset_of_plausible_size_is_read(kecam_model, tmp_path):
    path = saved(kecam_model, "kecam", tmp_path / "file.h5")
    replace_bias(path, lambda group, values: group.create_dataset("bias:0", data=values, compression="gzip"))
    other = make("coatnet_0", input_shape=SHAPE, seed=1)
    kc.load_checkpoint(other, path)
    assert_same_weights(other, kecam_model)


@pytest.mark.parametrize("values", [[b"text"] * 5, h5py.Empty("float32")])
def test_what_is_no_array_of_numbers_is_refused(kecam_model, values, tmp_path):
    path = saved(kecam_model, "kecam", tmp_path / "file.h5")
    replace_bias(path, lambda group, _: group.create_dataset("bias:0", data=values))
    refused(kecam_model, path, r"/predictions/predictions/bias:0 holds no")


def test_a_group_in_the_place_of_an_array_is_refused(kecam_model, tmp_path):
    path = saved(kecam_model, "kecam", tmp_path / "file.h5")
    replace_bias(path, lambda group, _: group.create_group("bias:0"))
    refused(kecam_model, path, r"/predictions/predictions/bias:0 holds no array")


def test_a_group_that_holds_itself_is_refused(model, tmp_path):
    path = saved(model, "keras", tmp_path / "file.weights.h5")
    with h5py.File(path, "r+") as file:
        group = file["layers"][next(iter(file["layers"]))]
        group["again"] = group
    refused(model, path, "is in the file in two places")


def test_an_archive_whose_weights_unpack_to_far_more_is_refused(model, tmp_path):
    path = saved(model, "keras", tmp_path / "file.keras")
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("config.json", source.read("config.json"))
        target.writestr("model.weights.h5", source.read("model.weights.h5") + bytes(10**9 // 5))
    refused(model, bomb, "its weights unpack from")


def test_a_listed_layer_that_is_not_there_is_told(kecam_model, tmp_path):
    path = saved(kecam_model, "kecam", tmp_path / "file.h5")
    with h5py.File(path, "r+") as file:
        del file["predictions"]
    refused(kecam_model, path, "/predictions is not there")


@pytest.mark.parametrize("source", ["kecam", "keras"])
def test_missing_and_extra_tensors_are_told(source, model, kecam_model, tmp_path):
    which = kecam_model if source == "kecam" else model
    path = saved(which, source, tmp_path / ("file.h5" if source == "kecam" else "file.weights.h5"))
    with h5py.File(path, "r+") as file:
        if source == "kecam":
            file["predictions"].attrs["weight_names"] = ["predictions/kernel:0", "predictions/more:0"]
            file.move("predictions/predictions/bias:0", "predictions/predictions/more:0")
            wanted = r"(?s)missing \(1\): predictions/bias:0.*unexpected \(1\): predictions/more:0"
        else:
            variables = file["layers"]["dense"]["vars"]
            variables.move("1", "7")
            wanted = r"(?s)missing \(1\): predictions/bias.*unexpected \(1\): predictions/7"
    refused(which, path, wanted)
