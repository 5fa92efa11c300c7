"""What the site has beyond Markdown: equations as MathML, and the repository's files that pages link to."""

import re
from pathlib import Path

import latex2mathml.converter
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
# A link that leaves docs/, such as ../weights_manifest.json from docs/weights.md.
LINK_OUT = re.compile(r"(?<=\]\()\.\./([^)#]+)(?=[)#])")
SHOWN = "repository"


def on_config(config):
    """Fences named `math` hold LaTeX, which also GitHub renders."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "math", "format": as_mathml})
    return config


def as_mathml(source, *_, **__):
    """Browsers draw MathML without a script or a font from elsewhere. A line is an equation."""
    equations = (latex2mathml.converter.convert(line, display="block") for line in source.splitlines() if line.strip())
    return f'<div class="math">{"".join(equations)}</div>'


def on_files(files, config):
    """Files outside of docs/ that pages link to become files of the site."""
    linked = set()
    for page in files.documentation_pages():
        if "/" not in page.src_uri:
            linked |= set(LINK_OUT.findall(page.content_string))
    for name in sorted(linked):
        if (ROOT / name).is_file():
            files.append(File.generated(config, f"{SHOWN}/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links lead to these copies."""
    return LINK_OUT.sub(rf"{SHOWN}/\1", markdown) if "/" not in page.file.src_uri else markdown
