"""scripts/compare_transfer: its commands and its table. Training itself is tested with the command."""

import importlib.util
import json
from pathlib import Path

import pytest

from keras_coatnet.cli.main import make_parser
from keras_coatnet.cli.training.request import chosen_recipe

pytestmark = pytest.mark.backend_free

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_transfer.py"
ARGUMENTS = ["--data", "clothes", "--model", "coatnet_tiny200_ccct", "--weights", "tiny.weights.h5", "--epochs", "3"]
ARGUMENTS += ["--set", "batch_size=8"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("compare_transfer", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def finished(run, top1, seconds):
    run.folder.mkdir(parents=True)
    (run.folder / "recipe.json").write_text(json.dumps({"results": {"test": {"top1": top1}}}))
    (run.folder / "seconds.json").write_text(json.dumps({"seconds": seconds, "finished": True}))


def test_both_runs_of_a_seed_are_commands_that_differ_in_start_and_rates_alone(script):
    pretrained, scratch = script.runs_of(4, script.parse([*ARGUMENTS, "--out", "out"]))
    first, second = (vars(make_parser().parse_args(["train", *run.options])) for run in (pretrained, scratch))
    differing = {name for name in first if first[name] != second[name]}
    assert differing == {"pretrained", "set", "out"}
    assert (first["pretrained"], second["pretrained"]) == ("tiny.weights.h5", None)
    assert first["seed"] == second["seed"] == 4
    recipes = [chosen_recipe(make_parser().parse_args(["train", *run.options])) for run in (pretrained, scratch)]
    assert [recipe.layer_decay for recipe in recipes] == [0.8, 1.0]
    assert {recipe.batch_size for recipe in recipes} == {8}


def test_table_has_every_seed_their_mean_and_their_deviation(script, tmp_path):
    options = script.parse([*ARGUMENTS, "--out", str(tmp_path), "--seeds", "0", "5"])
    runs = [run for seed in options.seeds for run in script.runs_of(seed, options)]
    for run, top1, seconds in zip(runs, (0.80, 0.50, 0.84, 0.52), (60, 30, 120, 30), strict=True):
        finished(run, top1, seconds)
    assert script.table(runs).splitlines() == [
        "| start | seed 0 | seed 5 | mean | standard deviation | minutes a run |",
        "| --- | --- | --- | --- | --- | --- |",
        "| pretrained | 80.0 | 84.0 | 82.0 | 2.8 | 1.5 |",
        "| from scratch | 50.0 | 52.0 | 51.0 | 1.4 | 0.5 |",
    ]


def test_data_without_test_pictures_is_named(script, tmp_path):
    run = next(script.runs_of(0, script.parse([*ARGUMENTS, "--out", str(tmp_path)])))
    run.folder.mkdir(parents=True)
    (run.folder / "recipe.json").write_text(json.dumps({"results": {}}))
    with pytest.raises(SystemExit, match=r"pretrained-0 was trained on data without test/"):
        script.accuracy_of(run)
