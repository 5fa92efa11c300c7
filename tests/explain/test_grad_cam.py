"""Where a class is seen: models whose answer is known, gradients checked by differences, and what is refused."""

import io

import keras
import numpy as np
import pytest
from explained_models import LABELS, SHAPE, SIDES, coatnet, corner_reader, noise
from PIL import Image
from running import BACKEND, run

import keras_coatnet as kc
from keras_coatnet import explain
from keras_coatnet.explain.grad_cam import heat_of
from keras_coatnet.explain.gradients import _runner, as_numpy, gradient_run
from keras_coatnet.explain.taps import tapped, without_activation

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def model():
    return coatnet()


@pytest.fixture(scope="module")
def explainer(model):
    return explain.GradCAM(model, labels=LABELS)


@pytest.fixture(scope="module")
def expected(explainer):
    """Of the most probable class, since of others there may be nothing to see."""
    found = explainer(noise())
    assert found.heat.max() == 1
    return found


def map_of(model, name, picture):
    """What a layer gives for a picture, made ready as for `predict`."""
    front = keras.Model(model.input, model.get_layer(name).output)
    return run(front, kc.preprocess_input(picture, model)).astype("float64")


def relu_over_largest(heat):
    heat = np.maximum(heat, 0)
    assert heat.max((1, 2)).min() > 0, "a picture on which nothing speaks for the class tests nothing"
    return heat / heat.max((1, 2), keepdims=True)


@pytest.fixture(scope="module")
def corner():
    return corner_reader()


def test_only_the_corner_that_is_read_is_lit(corner):
    heat = explain.grad_cam(corner, noise(), target=1, stage="map")
    assert heat.shape == (1, 8, 10)
    assert heat.max() == 1
    assert heat[0, :2, :3].max() == 1
    assert not heat[0, 2:].any()
    assert not heat[0, :, 3:].any()


def test_heat_is_that_of_a_calculation_by_hand(corner):
    picture, target = noise(), 1
    kernel = as_numpy(corner.get_layer("classes").kernel)[:, target]
    x = map_of(corner, "map", picture)
    # The score is the mean over 2 x 3 pixels times the kernel.
    gradient = np.zeros(x.shape)
    gradient[:, :2, :3] = kernel / 6
    found = explain.grad_cam(corner, picture, target, "map")
    np.testing.assert_allclose(found, relu_over_largest((x * gradient).sum(-1)), atol=1e-4)
    averaged = explain.grad_cam(corner, picture, target, "map", average_gradients=True)
    expected = relu_over_largest((x * gradient.mean((1, 2), keepdims=True)).sum(-1))
    np.testing.assert_allclose(averaged, expected, atol=1e-4)


def test_last_stage_of_a_coatnet_is_its_map_times_the_classifier(model, explainer):
    """No norm and no hidden layer stand behind its pool: the score is the map's mean times the kernel."""
    pictures = [noise(seed=1), noise(seed=2)]
    found = explainer(pictures)
    answers = run(model, kc.preprocess_input(pictures, model))
    np.testing.assert_allclose(found.probabilities, answers, atol=1e-5)
    np.testing.assert_array_equal(found.classes, answers.argmax(1))
    kernel = as_numpy(model.get_layer("predictions").kernel)[:, found.classes].astype("float64")
    heat = relu_over_largest(np.einsum("nhwc,cn->nhw", map_of(model, "stage3_block2", pictures), kernel))
    assert heat.shape == (2, *SIDES["stage3"])
    np.testing.assert_allclose(found.heat, heat, atol=1e-4)
    # The same class by its name.
    by_name = explainer(pictures, LABELS[found.classes[1]])
    np.testing.assert_allclose(by_name.heat[1], found.heat[1], atol=1e-5)


def assert_gradient(model, layer, images):
    """The gradient of class 1's score against a difference of two scores, with the map moved either way."""
    scores, x, gradient, _ = gradient_run(model, model.get_layer(layer))(images, [1] * len(images))
    assert gradient.shape == x.shape
    direction = gradient / np.linalg.norm(gradient)
    step = 1e-3 * np.linalg.norm(x)
    high, low = scores_moved(model, layer, images, step * direction)
    assert high - low == pytest.approx(2 * step * np.linalg.norm(gradient), rel=0.02)
    assert scores.shape == (len(images), model.output_shape[1])


def scores_moved(model, name, images, addition):
    """Class 1's score with something added to the map that a layer gives at its last call, and with it taken away."""
    layer = model.get_layer(name)

    def moved(call, images):
        return [scores_with(call, images, each) for each in (addition, -addition)]

    def scores_with(call, images, each):
        calls = list(layer._inbound_nodes)

        def move(_, result, *arguments, **keywords):
            calls.pop()
            return result if calls else result + keras.ops.convert_to_tensor(each)

        with without_activation(model), tapped([layer], move):
            return call(images)

    return [float(scores[:, 1].sum()) for scores in as_numpy(_runner(model, moved)(images))]


@pytest.mark.parametrize("stage", ["stem", "stage1_block1", "stage2_block1"])
def test_gradients_at_a_coatnets_stages(model, stage):
    assert_gradient(model, stage, kc.preprocess_input(noise(), model))


@pytest.mark.parametrize("name", ["coat_lite_mini", "coat_mini"])
def test_gradients_at_a_coats_last_map_that_counts(name):
    from coat_twins import fresh

    model = fresh(name)
    layer = list(model.deciding_layers.values())[-1]
    assert_gradient(model, layer, kc.preprocess_input(noise(), model))


def test_numbers_and_names_of_stages_are_the_same_maps(model):
    for number, (name, sides) in enumerate(SIDES.items()):
        layer = explain.GradCAM(model, number).layer
        assert explain.GradCAM(model, name).layer is layer
        assert layer.output.shape[1:3] == sides


def test_a_model_inside_another_one_has_its_stages():
    base = coatnet(include_top=False)
    pool = keras.layers.GlobalAveragePooling2D(data_format="channels_last")
    model = keras.Sequential([keras.Input(SHAPE), base, pool, keras.layers.Dense(2, activation="softmax")])
    assert explain.grad_cam(model, noise(), 1).shape == (1, *SIDES["stage3"])


def test_half_precision_lights_the_same_pixels(expected):
    found = explain.grad_cam(coatnet(dtype="mixed_float16"), noise(), int(expected.classes[0]))
    np.testing.assert_allclose(found, expected.heat, atol=0.1)


def test_fused_model_lights_the_same_pixels(model, expected):
    found = explain.grad_cam(kc.fuse(model), noise(), int(expected.classes[0]))
    np.testing.assert_allclose(found, expected.heat, atol=1e-3)


def test_model_of_any_size_is_explained_at_its_own():
    open_model = coatnet((None, None, 3))
    assert explain.grad_cam(open_model, noise(), 0).shape == (1, 2, 2)


def test_every_kind_of_picture_gives_the_same_heat(explainer, expected, tmp_path):
    picture = noise()
    Image.fromarray(picture).save(tmp_path / "noise.png")
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    for given in (tmp_path / "noise.png", str(tmp_path / "noise.png"), content.getvalue(), Image.fromarray(picture)):
        np.testing.assert_array_equal(explainer(given).heat, expected.heat)
    np.testing.assert_allclose(explainer(picture.astype("float32")).heat, expected.heat, atol=0.05)


def test_nothing_that_speaks_for_a_class_is_no_heat():
    maps, gradients = np.ones((1, 2, 2, 3), "float32"), -np.ones((1, 2, 2, 3), "float32")
    np.testing.assert_array_equal(heat_of(maps, gradients), np.zeros((1, 2, 2)))


@pytest.mark.parametrize("options", [{}, {"pooling": "avg"}])
def test_model_without_a_classifier_is_refused(options):
    with pytest.raises(ValueError, match=r"needs a classifier; 'coatnet_custom' has none .* include_top=True"):
        explain.grad_cam(coatnet(include_top=False, **options), noise())


def test_unknown_stage_is_refused_with_those_that_there_are(model):
    with pytest.raises(ValueError, match=r"got 7\. Stages of 'coatnet_custom': 'stem', 'stage1', 'stage2', 'stage3'"):
        explain.GradCAM(model, 7)
    with pytest.raises(ValueError, match=r"got 'stage2_blok1'.*Nearest layers: 'stage2_block1'"):
        explain.GradCAM(model, "stage2_blok1")


def test_model_without_stages_is_asked_for_a_layer(corner):
    with pytest.raises(ValueError, match=r"got None\. Stages of 'corner': none, since it is no model of this package"):
        explain.GradCAM(corner)


def test_layer_that_gives_no_map_is_refused(corner):
    with pytest.raises(ValueError, match=r"a layer that gives a map \(N, H, W, C\); 'classes' gives \(1, 3\)"):
        explain.grad_cam(corner, noise(), stage="classes")


def test_no_picture_at_all_is_refused(explainer):
    with pytest.raises(ValueError, match=r"images must be one picture or several; got none\."):
        explainer([])


def test_unknown_class_is_refused_with_the_nearest(explainer):
    with pytest.raises(ValueError, match=r"No class is called 'kat': the model knows 5 classes\. Nearest: cat"):
        explainer(noise(), "kat")


def test_broken_weights_are_said():
    model = corner_reader()
    model.get_layer("classes").kernel.assign(np.full((5, 3), np.nan))
    with pytest.raises(ValueError, match="'corner' answers NaN or infinity"):
        explain.grad_cam(model, noise(), stage="map")


@pytest.mark.skipif(BACKEND != "torch", reason="whether weights keep gradients is PyTorch's question")
def test_weights_keep_no_gradients(model, explainer):
    explainer(noise(), 0)
    assert all(variable.value.grad is None for variable in model.trainable_variables)
