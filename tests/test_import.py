"""What `import keras_coatnet` does to a fresh process."""

import json
import os
import subprocess
import sys

import keras
import pytest

import keras_coatnet

LIST_MODULES = "import json, sys; import {}; print(json.dumps(sorted(sys.modules)))"


def run_fresh(code):
    """The last line that a new interpreter prints, read as json."""
    result = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def loaded_by_us():
    return run_fresh(LIST_MODULES.format("keras_coatnet"))


def test_import_loads_nothing_but_keras_and_our_own_modules(loaded_by_us):
    by_keras = set(run_fresh(LIST_MODULES.format("keras")))
    extra = [name for name in loaded_by_us if name not in by_keras and name.split(".")[0] != "keras_coatnet"]
    assert extra == []


def test_import_leaves_the_command_line_out(loaded_by_us):
    assert "keras_coatnet.registry" in loaded_by_us
    assert "keras_coatnet.cli" not in loaded_by_us


def test_import_registers_every_layer():
    registered = set(
        run_fresh("import json, keras, keras_coatnet; print(json.dumps(list(keras.saving.get_custom_objects())))")
    )
    layers = [
        name
        for name, value in vars(keras_coatnet.layers).items()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    ]
    assert {"MBConv", "TransformerBlock", "RelativeMultiHeadSelfAttention", "DropPath"} <= set(layers)
    assert [name for name in layers if f"keras_coatnet>{name}" not in registered] == []
