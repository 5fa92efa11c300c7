"""What is counted of a model's answers, and what is drawn of a run."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from keras_coatnet.images.preprocess import DEFAULT_PREPROCESSING
from keras_coatnet.training.data.feeds import evaluation_feed
from keras_coatnet.training.data.labelled import class_indices, open_for_evaluation
from keras_coatnet.training.data.sources import Rows
from keras_coatnet.training.evaluation import Answers, collect_answers, read_real_labels, real_accuracy
from keras_coatnet.training.run.history import make_tensorboard, read_history, write_history
from keras_coatnet.training.run.report import class_table, write_report

SIZE = (8, 12)


def make_model(activation):
    layers = [keras.layers.Flatten(), keras.layers.Dense(7, activation)]
    model = keras.Sequential([keras.Input((*SIZE, 3)), *layers])
    return model


def make_feed(classes=7):
    generator = np.random.default_rng(0)
    rows = [(generator.integers(0, 256, (10, 14, 3), np.uint8), index % classes) for index in range(11)]
    rows[4] = (b"no picture", 4)
    return evaluation_feed(Rows(rows), classes, DEFAULT_PREPROCESSING, SIZE, batch_size=4, workers=0)


@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
def test_answers_are_those_of_keras_own_evaluate(activation):
    model, feed = make_model(activation), make_feed()
    logits = activation is None
    kind = keras.losses.BinaryCrossentropy if activation == "sigmoid" else keras.losses.CategoricalCrossentropy
    metrics = [keras.metrics.CategoricalAccuracy(), keras.metrics.TopKCategoricalAccuracy(5)]
    model.compile(loss=kind(from_logits=logits, reduction="mean_with_sample_weight"), weighted_metrics=metrics)
    done = []
    answers = collect_answers(model, feed, done.append)
    found = [answers.loss, answers.top1, answers.top5]
    # In one batch: Keras' mean of the means of unequal batches would be another one.
    whole = evaluation_feed(feed.maker.source, 7, DEFAULT_PREPROCESSING, SIZE, batch_size=11, workers=0)
    np.testing.assert_allclose(found, model.evaluate(whole.dataset(), verbose=0), rtol=1e-5)
    assert done == [4, 8, 11]
    assert len(answers.names) == 10
    assert list(answers.skipped) == ["row 4"]
    assert answers.timed == 6


@pytest.fixture
def answers():
    labels, guesses = np.array([0, 0, 0, 1, 2]), np.array([[0, 1], [1, 0], [1, 2], [1, 0], [0, 1]])
    names = tuple(f"val/x/ILSVRC2012_val_0000000{index}.JPEG" for index in range(1, 6))
    return Answers(names, labels, guesses, 0.5, 1.0, 4, {})


@pytest.mark.backend_free
def test_accuracies_confusion_and_table(answers):
    assert (answers.top1, answers.top5) == (0.4, 0.6)
    counts = answers.confusion(3)
    np.testing.assert_array_equal(counts, [[1, 2, 0], [0, 1, 0], [1, 0, 0]])
    assert class_table(["a", "b", "c"], counts)[1:] == [
        ("a", 3, 0.3333, 0.5, "b", 2),
        ("b", 1, 1.0, 0.3333, "", 0),
        ("c", 1, 0.0, "", "a", 1),
    ]


@pytest.mark.backend_free
def test_reassessed_labels_count_only_pictures_that_have_any(answers, tmp_path):
    rows = [[0, 5], [], [2], [1], [0]] + [[]] * 49_995
    (tmp_path / "real.json").write_text(json.dumps(rows))
    assert real_accuracy(answers, read_real_labels(tmp_path / "real.json")) == (0.75, 4)
    with pytest.raises(ValueError, match=r"ILSVRC2012_val_00000001.JPEG; got cat.png"):
        real_accuracy(Answers(("cat.png",), answers.labels[:1], answers.guesses[:1], 0, 1, 0, {}), rows)
    (tmp_path / "real.json").write_text("[[1]]")
    with pytest.raises(ValueError, match="must hold 50000 lists"):
        read_real_labels(tmp_path / "real.json")


@pytest.mark.backend_free
def test_report_is_tables_and_pictures(answers, tmp_path):
    rows = [{"epoch": 1, "loss": 2.0, "accuracy": 0.1}, {"epoch": 2, "loss": 1.0, "accuracy": 0.5, "val_loss": 1.5}]
    write_report(tmp_path, rows, ["a", "b", "c"], answers)
    assert (tmp_path / "confusion.csv").read_text() == "is \\ taken for,a,b,c\na,1,2,0\nb,0,1,0\nc,1,0,0\n"
    for name in ("curves.png", "confusion.png"):
        picture = np.asarray(Image.open(tmp_path / name).convert("L"))
        assert picture.std() > 10


@pytest.mark.backend_free
def test_confusion_of_many_classes_is_not_drawn(tmp_path):
    one = Answers(("x",), np.array([0]), np.array([[1]]), 0.5, 1.0, 4, {})
    write_report(tmp_path, [], [str(index) for index in range(51)], one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.csv", "confusion.csv"]


@pytest.mark.backend_free
def test_history_keeps_columns_that_come_later(tmp_path):
    rows = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "val_loss": 1.5}]
    write_history(tmp_path, rows)
    assert read_history(tmp_path) == rows
    assert (tmp_path / "history.csv").read_text() == "epoch,loss,val_loss\n1,2.0,\n2,1.0,1.5\n"


@pytest.mark.backend_free
def test_tensorboard_gets_every_number_of_an_epoch(tmp_path):
    pytest.importorskip("tensorboard")
    make_tensorboard(tmp_path)({"epoch": 1, "loss": 2.0})
    assert next((tmp_path / "tensorboard").iterdir()).stat().st_size > 0


@pytest.mark.backend_free
def test_folders_find_their_class_by_wordnet_id_label_or_order():
    assert class_indices(["n01440764"], 1000, None, "x")["n01440764"] == 0
    assert class_indices(["dog"], 2, ["cat", "dog"], "x")["dog"] == 1
    assert class_indices(["a", "b"], 2, None, "x") == {"a": 0, "b": 1}
    with pytest.raises(ValueError, match="the model has no class 'bird'"):
        class_indices(["bird", "dog"], 2, ["cat", "dog"], "x")
    with pytest.raises(ValueError, match="has 1 classes, and the model 2"):
        class_indices(["a"], 2, None, "x")


@pytest.mark.backend_free
def test_part_of_the_data_is_the_held_out_one_unless_another_is_named(tmp_path):
    for part, count in (("train", 3), ("validation", 2), ("test", 1)):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for index in range(count):
                (tmp_path / part / name / f"{index}.png").touch()
    sizes = {part: len(open_for_evaluation(tmp_path, 2, ["dog", "cat"], part)) for part in (None, "test", "train")}
    assert sizes == {None: 4, "test": 2, "train": 6}
    assert open_for_evaluation(tmp_path, 2, ["dog", "cat"]).labels == (1, 1, 0, 0)
    assert len(open_for_evaluation(tmp_path / "train", 2, ["dog", "cat"])) == 6
    with pytest.raises(ValueError, match=r"train: has no val/ or validation/"):
        open_for_evaluation(tmp_path / "train", 2, None, "val")
