"""The wheel, installed where nothing of this folder can be seen."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.backend_free, pytest.mark.slow]

ROOT = Path(__file__).parents[1]


def run(*arguments, **options):
    # A folder in PYTHONPATH would come before the environment that is looked at.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, env=variables, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    return next(folder.glob("keras_coatnet-*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """The scripts folder of an environment that has the wheel, and everything else from this environment."""
    folder = tmp_path_factory.mktemp("elsewhere with a space")
    venv.create(folder, with_pip=False)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = scripts / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # Files named .pth are read in site folders only, so an editable installation of ours does not come along.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    return scripts


def test_wheel_holds_the_manifest_and_the_type_marker(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"keras_coatnet/weights_manifest.json", "keras_coatnet/py.typed"} <= set(names)
    assert [name for name in names if name.split("/")[0] == "tests"] == []


def test_wheel_carries_licence_and_notice(wheel):
    names = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if "dist-info" in name}
    assert {"LICENSE", "NOTICE"} <= names


def test_installed_wheel_imports_and_builds_from_another_folder(elsewhere, tmp_path):
    code = (
        "import keras_coatnet as kc; print(kc.__file__);"
        "print(kc.CoAtNet('coatnet_tiny200_ccct', input_shape=(32, 48, 3), num_classes=3).output_shape)"
    )
    file, shape = run(elsewhere / "python", "-c", code, cwd=tmp_path).splitlines()[-2:]
    assert Path(file).is_relative_to(elsewhere.parent)
    assert shape == "(None, 3)"


def test_installed_command_runs_from_another_folder(elsewhere, tmp_path):
    assert run(elsewhere / "keras-coatnet", "--version", cwd=tmp_path).startswith("keras-coatnet 0.")
