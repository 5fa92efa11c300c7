"""A CoaT as a file: every format that the backend writes, checked as every export is."""

from importlib.util import find_spec

import pytest
from coat_twins import filled
from running import BACKEND

import keras_coatnet as kc
from keras_coatnet.deploy.formats import FORMATS

OWN = [format for format in FORMATS.values() if format.backend == BACKEND]


@pytest.mark.parametrize("format", OWN, ids=lambda format: format.name)
def test_file_of_serial_and_parallel_blocks_answers_as_the_model_does(format, tmp_path):
    if not all(find_spec(package) for package in format.packages):
        pytest.skip(f"{format.name} needs {', '.join(format.packages)}")
    report = kc.export(filled("coat_mini"), tmp_path / f"model{''.join(format.endings[:1])}")
    assert report.fused
    assert report.difference < 1e-4
