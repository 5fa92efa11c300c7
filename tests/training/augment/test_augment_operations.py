"""The operations of RandAugment and AutoAugment: timm's own pictures, to the bit."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_coatnet.training.augment.auto_augment import POLICIES
from keras_coatnet.training.augment.operations import OPERATIONS, apply_operation
from keras_coatnet.training.augment.rand_augment import OPERATION_SETS

pytestmark = pytest.mark.backend_free

GOLDENS = Path(__file__).parents[2] / "goldens" / "augment"
FILL = (124, 116, 104)  # as in scripts/make_augmentation_goldens.py


@pytest.fixture(scope="module")
def answers():
    with np.load(GOLDENS / "operations.npz") as file:
        return dict(file)


def cases_of(name, answers):
    for key in answers:
        operation, _, rest = key.partition("|")
        if operation == name:
            magnitude, sign = rest.split("|")
            yield float(magnitude), sign == "minus", answers[key]


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_gives_the_pixels_of_timm(name, answers):
    picture = Image.fromarray(answers["picture"])
    cases = list(cases_of(name, answers))
    assert len(cases) >= (1 if OPERATIONS[name].argument is None else 3)
    for magnitude, negative, expected in cases:
        result = np.asarray(apply_operation(name, picture, magnitude, negative=negative, fill=FILL))
        np.testing.assert_array_equal(result, expected, err_msg=f"{name} at {magnitude}, negative: {negative}")


def test_every_operation_of_timm_that_has_answers_is_ours_too(answers):
    assert {key.partition("|")[0] for key in answers} - {"picture"} == set(OPERATIONS)


def test_signed_operations_are_those_that_timm_turns_around(answers):
    turned = {key.partition("|")[0] for key in answers if key.endswith("|minus")}
    assert turned == {name for name, operation in OPERATIONS.items() if operation.signed}


def test_no_bits_left_is_black():
    picture = Image.fromarray(np.full((3, 5, 3), 255, np.uint8))
    assert np.asarray(apply_operation("PosterizeIncreasing", picture, 10)).max() == 0


def test_operation_sets_and_policies_are_those_of_timm():
    tables = json.loads((GOLDENS / "policies.json").read_text(encoding="utf-8"))
    assert {name: sorted(names) for name, names in OPERATION_SETS.items()} == {
        name: sorted(names) for name, names in tables["sets"].items()
    }
    ours = {name: [[list(each) for each in pair] for pair in pairs] for name, pairs in POLICIES.items()}
    assert ours == tables["policies"]


def test_policies_name_known_operations():
    assert {each[0] for pairs in POLICIES.values() for pair in pairs for each in pair} <= set(OPERATIONS)
