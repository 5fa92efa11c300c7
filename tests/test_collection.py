"""No test lies where pytest does not look."""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_free

TESTS = Path(__file__).parent


def test_files_with_tests_have_names_that_are_collected():
    strays = [
        path
        for path in TESTS.rglob("*.py")
        if not path.name.startswith("test_")
        and any(
            isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert strays == []


def test_no_function_name_is_used_twice_in_a_file():
    for path in TESTS.rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert [name for name in names if names.count(name) > 1] == [], path
