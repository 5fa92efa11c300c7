"""Imports point down only, and nothing heavy is imported at module level: read off the syntax trees."""

import ast
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_free

PACKAGE = Path(__file__).parents[1] / "keras_coatnet"

# From bottom to top. A part may import from the parts of lower lines and from itself, never from its neighbours.
LEVELS = (
    {"version", "allocator"},
    {"layers", "images"},
    {"weights"},
    {"families"},
    {"coatnet", "coat"},
    {"registry"},
    {"prediction"},
    {"deploy"},
    {"training", "explain", "benchmark"},
    {"app"},
    {"cli"},
)
PARTS = set().union(*LEVELS)
# The two bottom parts know nothing of ours but themselves.
ALLOWED_ABOVE_VERSION = {"layers": {"layers"}, "images": {"images"}}
# h5py and ml_dtypes are Keras' own: whoever imported it has them loaded.
AT_MODULE_LEVEL = {"keras", "numpy", "h5py", "ml_dtypes", "keras_coatnet"} | set(sys.stdlib_module_names)

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path):
    """The part a file belongs to; None for the package's own `__init__`, which may import all."""
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return None if name == "__init__" else name


def allowed(part):
    level = next(index for index, parts in enumerate(LEVELS) if part in parts)
    return ALLOWED_ABOVE_VERSION.get(part) or set().union(*LEVELS[:level]) | {part}


def imported_names(path, node):
    """Dotted names that an import statement may load; relative ones made absolute."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = ("keras_coatnet", *path.relative_to(PACKAGE).parts[:-1])
        base = ".".join(filter(None, (*package[: len(package) - node.level + 1], base)))
    # `from keras_coatnet import registry` names the part in the list.
    return [f"{base}.{alias.name}" for alias in node.names] if base == "keras_coatnet" else [base]


def imports(tree):
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


def module_level_imports(tree):
    """Imports that run when the module is loaded: all but those inside functions."""
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        found += [node] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        todo += ast.iter_child_nodes(node)
    return found


def wrong_arrows(path, tree):
    part = part_of(path)
    for node in imports(tree):
        for name in imported_names(path, node):
            top, *rest = name.split(".")
            if top != "keras_coatnet" or part is None:
                continue
            target = rest[0] if rest else "the package itself"
            if target not in allowed(part):
                yield f"line {node.lineno}: {part} imports {target}"


def heavy_imports(path, tree):
    for node in module_level_imports(tree):
        for name in imported_names(path, node):
            if name.split(".")[0] not in AT_MODULE_LEVEL:
                yield f"line {node.lineno}: {name} belongs inside the function that needs it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_file_imports_only_from_below_and_nothing_heavy(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [*wrong_arrows(path, tree), *heavy_imports(path, tree)] == []


def test_every_part_has_its_level():
    assert {part_of(path) for path in FILES} - {None} <= PARTS


@pytest.mark.parametrize(
    ("part", "source", "complaint"),
    [
        ("layers/a.py", "from keras_coatnet.images.read import read_image", "layers imports images"),
        ("layers/a.py", "from keras_coatnet import registry", "layers imports registry"),
        ("layers/a.py", "from ..weights import manifest", "layers imports weights"),
        ("coatnet/a.py", "def f():\n    import keras_coatnet.coat.spec", "coatnet imports coat"),
        ("cli/a.py", "from keras_coatnet import CoAtNet0", "cli imports CoAtNet0"),
        ("registry.py", "import keras_coatnet", "registry imports the package itself"),
        ("layers/a.py", "try:\n    import torch\nexcept ImportError:\n    torch = None", "torch belongs inside"),
        ("cli/a.py", "from rich.table import Table", "rich.table belongs inside"),
    ],
)
def test_wrong_import_is_found(part, source, complaint):
    tree = ast.parse(source)
    found = [*wrong_arrows(PACKAGE / part, tree), *heavy_imports(PACKAGE / part, tree)]
    assert len(found) == 1
    assert complaint in found[0]


def test_files_are_named_by_what_they_hold():
    vague = {"util", "utils", "common", "misc", "helper", "helpers"}
    assert [path for path in PACKAGE.rglob("*") if path.stem in vague] == []
