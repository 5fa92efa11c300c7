"""Docstrings as the site shows them."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_free

FOLDER = Path(__file__).parents[2] / "scripts" / "site"


def load(name):
    pytest.importorskip("griffe" if name == "docstrings" else "mkdocs")
    spec = importlib.util.spec_from_file_location(f"site_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_labels_fields_and_equations_have_their_forms():
    shown = load("docstrings").to_markdown(
        "A block.\n\np = norm(x);  y = x + f(p)\nwith f a map.\n\n"
        "Args:\n    width: channels, which are\n        many.\n    rate, seed: of draws. drop_rate: of others.\n\n"
        "Shapes: (B, C)\n    -> (B, C).\nRaises: ValueError for none."
    )
    assert shown.split("\n\n") == [
        "A block.",
        "    p = norm(x);  y = x + f(p)",
        "with f a map.",
        "**Args:**",
        "- `width`: channels, which are many.\n- `rate`, `seed`: of draws.\n- `drop_rate`: of others.",
        "**Shapes:** (B, C) -> (B, C).",
        "**Raises:** ValueError for none.",
    ]


def test_fields_of_a_tuple_and_groups_of_a_spec_become_lists():
    to_markdown = load("docstrings").to_markdown
    assert to_markdown("Sums.\n\nheat: of a map,\n    as seen.\nclasses: (N,).") == (
        "Sums.\n\n- `heat`: of a map, as seen.\n\n- `classes`: (N,)."
    )
    assert to_markdown("A row.\n\nShape\n    depths, widths: of stages.\nHead\n    pool: kind.") == (
        "A row.\n\n**Shape**\n\n- `depths`, `widths`: of stages.\n\n**Head**\n\n- `pool`: kind."
    )


def test_prose_and_examples_stay():
    to_markdown = load("docstrings").to_markdown
    prose = "Norms: these are\ntwo, and more."
    assert to_markdown(prose) == prose
    assert (
        to_markdown("Builds.\n\nExample:\n    >>> build(1)") == "Builds.\n\n**Example:**\n\n```pycon\n>>> build(1)\n```"
    )


def test_what_markdown_would_take_for_emphasis_is_code():
    to_markdown = load("docstrings").to_markdown
    assert (
        to_markdown('Such as "coat_*" or "*.b", of `f(a="x_*")`.') == 'Such as `"coat_*"` or `"*.b"`, of `f(a="x_*")`.'
    )
    assert to_markdown("What it reads. Shapes: -> (B, C)") == "What it reads.\n\n**Shapes:** -> (B, C)"


def test_classes_on_a_page_are_linked_but_to_themselves():
    with_links = load("docstrings").with_links
    assert with_links("see `Stem`, `None`, `ValueError`", "MBConv") == (
        "see [`Stem`][keras_coatnet.layers.Stem], `None`, `ValueError`"
    )
    assert with_links("`Stem`", "Stem") == "`Stem`"


def test_entry_points_are_functions_with_a_line():
    griffe = pytest.importorskip("griffe")
    extensions = griffe.load_extensions(FOLDER / "docstrings.py")
    module = griffe.load("keras_coatnet", search_paths=[FOLDER.parents[1]], extensions=extensions)["coatnet.model"]
    assert module["CoAtNet3"].is_function
    assert module["CoAtNet3"].docstring.value == (
        "Build `coatnet_3`: the keywords are those of [`CoAtNet`][keras_coatnet.CoAtNet]."
    )


def test_a_math_block_is_mathml_an_equation_a_line():
    pytest.importorskip("latex2mathml")
    shown = load("hooks").as_mathml("y = \\frac{a}{b}\n\nz_i = 2\n")
    assert shown.count("<math") == 2
    assert "<mfrac>" in shown
