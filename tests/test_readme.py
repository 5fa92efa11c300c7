"""The README's python blocks run as they stand and print what it says."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
LONGEST = 150


def test_python_blocks_print_what_the_readme_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = PYTHON_BLOCK.findall(README.read_text(encoding="utf-8"))
    assert len(blocks) >= 2
    for code, printed in blocks:
        exec(code, names)
        assert capsys.readouterr().out == printed


@pytest.mark.backend_free
def test_readme_fits_150_lines_and_has_room_for_the_table():
    text = README.read_text(encoding="utf-8")
    before, _, after = text.partition("<!-- variants:begin -->")
    table = after.partition("<!-- variants:end -->")[0]
    assert "<!-- variants:end -->" in after
    assert len((before + after).splitlines()) - len(table.splitlines()) <= LONGEST


@pytest.mark.backend_free
def test_links_to_files_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert "LICENSE" in links
    assert [link for link in links if not (README.parent / link).exists()] == []
