"""A file is there whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keras_coatnet.deploy import staging
from keras_coatnet.deploy.formats import FORMATS

pytestmark = pytest.mark.backend_free

ROOT = Path(__file__).parents[2]


def write(path, format, text="new"):
    """What a writer leaves."""
    if FORMATS[format].is_folder:
        os.mkdir(path)
        path = os.path.join(path, staging.SAVED_MODEL_FILE)
    Path(path).write_text(text)
    for each in staging.all_paths(path, FORMATS[format])[1:]:
        Path(each).write_text(text)


def export(path, format, text="new", fail=False):
    with staging.staging(str(path), FORMATS[format]) as staged:
        write(staged, format, text)
        if fail:
            raise ValueError("too far")


def tree(folder):
    """{path below a folder: text}."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


CASES = {
    "onnx": ("a.onnx", {"a.onnx": "new"}),
    "openvino": ("a.xml", {"a.xml": "new", "a.bin": "new"}),
    "stablehlo": ("a.stablehlo", {"a.stablehlo": "new", "a.stablehlo.json": "new"}),
    "saved_model": ("a", {"a/saved_model.pb": "new"}),
}
each_kind = pytest.mark.parametrize("format", CASES)


@each_kind
def test_file_and_its_companions_arrive_and_nothing_else_stays(tmp_path, format):
    name, expected = CASES[format]
    export(tmp_path / name, format)
    assert tree(tmp_path) == expected
    assert len(list(tmp_path.iterdir())) == len(expected)


@each_kind
def test_old_file_is_replaced_whole_or_kept_whole(tmp_path, format):
    name, expected = CASES[format]
    export(tmp_path / name, format, "old")
    with pytest.raises(ValueError, match="too far"):
        export(tmp_path / name, format, fail=True)
    assert set(tree(tmp_path).values()) == {"old"}
    export(tmp_path / name, format)
    assert tree(tmp_path) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="a process is killed by a signal")
@each_kind
def test_process_that_is_killed_while_it_writes_leaves_nothing_under_the_name(tmp_path, format):
    name, _ = CASES[format]
    code = (
        "import os, signal, sys, types\n"
        "for name in ('', '.deploy', '.deploy.formats'):\n"  # without Keras, which takes seconds
        "    package = types.ModuleType('keras_coatnet' + name)\n"
        f"    package.__path__ = [os.path.join({str(ROOT)!r}, *('keras_coatnet' + name).split('.'))]\n"
        "    sys.modules[package.__name__] = package\n"
        "from keras_coatnet.deploy.formats.format import Format\n"
        "from keras_coatnet.deploy import staging\n"
        "row = Format(**eval(sys.argv[2]))\n"
        "with staging.staging(sys.argv[1], row) as staged:\n"
        "    os.mkdir(staged) if row.is_folder else open(staged, 'w').write('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    row = repr(vars(FORMATS[format]))
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path / name), row], stderr=subprocess.PIPE, text=True)
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(f".{name}-")] == []
    assert list(tmp_path.iterdir()) != []


def test_permissions_are_those_of_any_new_file(tmp_path):
    export(tmp_path / "a.onnx", "onnx")
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a.onnx").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_size_counts_what_belongs_to_the_model(tmp_path):
    for format, size in {"onnx": 3, "openvino": 6, "stablehlo": 3, "saved_model": 3}.items():
        path = tmp_path / CASES[format][0]
        export(path, format)
        assert staging.size_of(str(path), FORMATS[format]) == size


def test_metadata_beside_a_file_are_read_back(tmp_path):
    path = str(tmp_path / "a.stablehlo")
    assert staging.read_metadata_beside(path) is None
    staging.write_metadata_beside(path, {"labels": ["Bär"]})
    assert staging.read_metadata_beside(path) == {"labels": ["Bär"]}
    Path(path + ".json").write_text("[")
    assert staging.read_metadata_beside(path) is None
