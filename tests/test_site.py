"""The site shows every public name and every page, is fresh, and sends its readers nowhere else."""

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_free

ROOT = Path(__file__).parents[1]
DOCS, PACKAGE = ROOT / "docs", ROOT / "keras_coatnet"
LARGEST_PICTURE = 150_000


def read(path):
    return path.read_text(encoding="utf-8")


def documented():
    """Full names behind `:::` on the API pages."""
    return {
        name for page in sorted((DOCS / "api").glob("*.md")) for name in re.findall(r"^::: (\S+)$", read(page), re.M)
    }


def imported(tree):
    """(module, name) of every `from ... import name` of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "keras_coatnet":
            yield from ((node.module, alias.name) for alias in node.names)


def offered():
    """Names that a package's own __init__ hands out: `import name as name`."""
    for path in sorted(PACKAGE.rglob("__init__.py")):
        package = ".".join(path.parent.relative_to(ROOT).parts)
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.ImportFrom):
                names = [alias.name for alias in node.names if alias.asname == alias.name]
                yield from (f"{package}.{name}" for name in names if is_shown(node.module, name))


def shown_to_users():
    """Names of modules that pages, examples and notebooks import, or that a page's prose names with their module."""
    texts = [read(page) for page in (ROOT / "README.md", *DOCS.rglob("*.md"))]
    code = [block for text in texts for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)]
    code += [read(path) for path in sorted((ROOT / "examples").glob("*.py"))]
    for path in sorted((ROOT / "examples").glob("*.ipynb")):
        code += ["".join(cell["source"]) for cell in json.loads(read(path))["cells"] if cell["cell_type"] == "code"]
    for block in code:
        yield from (f"{module}.{name}" for module, name in imported(ast.parse(block)) if is_shown(module, name))
    parts = "|".join(path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name.isidentifier())
    for text in texts:
        yield from (f"keras_coatnet.{name}" for name in re.findall(rf"`((?:{parts})(?:\.[a-z_]+)*\.\w+)[(`]", text))


def is_shown(module, name):
    """Whether a name is a thing of its own: neither hidden nor a module, which has a page where its names are."""
    return not name.startswith("_") and not (ROOT / module.replace(".", "/") / f"{name}").is_dir()


def home(name):
    """Where a name is defined, for names that are handed out from elsewhere too."""
    module, _, last = name.rpartition(".")
    path = ROOT / module.replace(".", "/") / "__init__.py"
    if path.exists():
        for source, imported_name in imported(ast.parse(read(path))):
            if imported_name == last:
                return f"{source}.{last}"
    return name


def test_every_public_name_is_on_a_page():
    known = {home(name) for name in documented()}
    assert sorted({name for name in (*offered(), *shown_to_users()) if home(name) not in known}) == []


def test_names_on_pages_are_no_modules():
    """A function of the same name as its module, such as `explain.grad_cam`, needs its full name."""
    files = {name: ROOT / name.replace(".", "/") for name in documented()}
    assert sorted(name for name, path in files.items() if path.is_dir() or path.with_suffix(".py").exists()) == []


def test_names_of_all_kinds_are_asked_for():
    public = {*offered(), *shown_to_users()}
    assert {
        "keras_coatnet.CoaTTiny",
        "keras_coatnet.layers.Stem",
        "keras_coatnet.explain.grad_cam",
        "keras_coatnet.training.data.feeds.training_feed",
        "keras_coatnet.training.run.loop.train",
        "keras_coatnet.training.run.folder.save_run",
    } < public
    assert not {"keras_coatnet.layers", "keras_coatnet.explain", "keras_coatnet.__version__"} & public


def test_every_page_is_in_the_navigation():
    navigation = read(ROOT / "mkdocs.yml").partition("\nnav:\n")[2]
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert set(re.findall(r"(\S+\.md)$", navigation, re.M)) == pages


def test_nothing_is_fetched_from_elsewhere():
    assert "\n  font: false\n" in read(ROOT / "mkdocs.yml")
    assert "//" not in re.sub(r"/\*.*?\*/", "", read(DOCS / "site.css"), flags=re.S)
    pictures = [link for page in DOCS.rglob("*.md") for link in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", read(page))]
    assert pictures
    assert [link for link in pictures if "//" in link] == []


def test_pictures_are_small():
    assert {path.name for path in (DOCS / "pictures").iterdir() if path.stat().st_size >= LARGEST_PICTURE} == set()


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_of_commands_is_fresh():
    module = script("command_page")
    assert read(module.PAGE) == module.page(), "run scripts/command_page.py"


def test_pictures_of_models_are_fresh():
    assert script("plot_models").stale() == [], "run scripts/plot_models.py"
