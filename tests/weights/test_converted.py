"""The cached `.weights.h5` of a fetched file."""

import dataclasses
import errno
import os

import pytest
from fetching import (
    DATA,
    change,
    content,
    files_in,
    get,
    make_row,
    weight_file,
)

from keras_coatnet.weights.converted import load_converted, store_converted

pytestmark = [pytest.mark.backend_free, pytest.mark.usefixtures("home")]


def test_a_converted_file_belongs_to_its_source(server):
    row = make_row(weight_file(server.url("/f")))
    assert load_converted(row) is None
    assert store_converted(row, lambda path: pytest.fail("nothing to convert")) is None
    get(row)
    path = store_converted(row, lambda path: write(path, b"converted"))
    assert load_converted(row) == path
    assert store_converted(row, lambda path: pytest.fail("converted twice")) == path
    other = dataclasses.replace(row, files=(weight_file(server.url("/f"), DATA[::-1]),))
    assert load_converted(other) is None


def write(path, data):
    with open(path, "wb") as opened:
        opened.write(data)


@pytest.mark.parametrize("keep_time", [True, False])
def test_a_damaged_converted_file_is_not_loaded_and_made_anew(server, keep_time):
    row = make_row(weight_file(server.url("/f")))
    get(row)
    path = store_converted(row, lambda path: write(path, b"converted"))
    change(path, b"convertex", keep_time)
    assert load_converted(row, verify=keep_time) is None
    assert load_converted(row) is None
    assert store_converted(row, lambda path: write(path, b"converted")) == path
    assert content(load_converted(row)) == b"converted"


def test_converted_weights_that_cannot_be_kept_cost_one_line(server, caplog, home):
    def write_on_full_disk(path):
        write(path, b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    row = make_row(weight_file(server.url("/f")))
    get(row)
    assert store_converted(row, write_on_full_disk) is None
    assert "the next start converts anew" in caplog.text
    assert files_in(home) == ["weights.h5", "weights.h5.json"]


def test_an_error_of_the_conversion_itself_is_raised(server, home):
    def fail(path):
        raise ValueError("does not fit")

    row = make_row(weight_file(server.url("/f")))
    get(row)
    with pytest.raises(ValueError, match="does not fit"):
        store_converted(row, fail)
    assert files_in(home) == ["weights.h5", "weights.h5.json"]
