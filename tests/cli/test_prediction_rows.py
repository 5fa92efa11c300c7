"""How answers are written."""

import csv
import io
import json

import pytest

from keras_coatnet.cli.prediction_rows import CsvRows, JsonRows, TextRows
from keras_coatnet.prediction.answers import Prediction

pytestmark = pytest.mark.backend_free

TENCH = [Prediction("n01440764", "tench, Tinca tinca", 0.875), Prediction("n02012849", "crane", 1 / 3)]
OWN = [Prediction(None, "cat, asleep", 1.0)]
ERROR = ValueError("b.png: broken")


def written(rows_class):
    stream = io.StringIO()
    rows = rows_class(stream)
    rows.write("a, b.png", TENCH)
    rows.write_error("b.png", ERROR)
    rows.write("c.png", OWN)
    return stream.getvalue()


def test_text_shows_the_first_lemma_and_own_names_whole():
    assert written(TextRows) == "a, b.png: tench 87.5%, crane 33.3%\nc.png: cat, asleep 100.0%\n"


def test_json_has_an_object_a_line_for_bad_pictures_too():
    first, second, third = map(json.loads, written(JsonRows).splitlines())
    assert first["path"] == "a, b.png"
    assert first["predictions"][0] == {"wnid": "n01440764", "label": "tench, Tinca tinca", "probability": 0.875}
    assert second == {"path": "b.png", "error": "b.png: broken"}
    assert third["predictions"][0]["wnid"] is None


def test_csv_has_a_header_and_a_line_a_guess():
    rows = list(csv.DictReader(io.StringIO(written(CsvRows))))
    assert [(row["path"], row["rank"], row["label"]) for row in rows] == [
        ("a, b.png", "1", "tench, Tinca tinca"),
        ("a, b.png", "2", "crane"),
        ("c.png", "1", "cat, asleep"),
    ]
    assert [float(row["probability"]) for row in rows] == pytest.approx([0.875, 1 / 3, 1], rel=1e-5)
    assert [row["wnid"] for row in rows] == ["n01440764", "n02012849", ""]


@pytest.mark.parametrize("rows_class", [TextRows, CsvRows])
def test_names_that_are_no_text_leave_as_they_came(rows_class):
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding="utf-8")
    rows_class(stream).write("caf\udce9.png", OWN)
    assert b"caf\xe9.png" in data.getvalue()


@pytest.mark.parametrize("rows_class", [TextRows, JsonRows, CsvRows])
def test_every_answer_is_out_before_the_next(rows_class):
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding="utf-8")
    rows_class(stream).write("a.png", OWN)
    assert b"cat, asleep" in data.getvalue()
