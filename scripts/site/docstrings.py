"""Docstrings of this package as Markdown, for the pages of the site that show them.

An Args list becomes a list, what stands behind another label (Shapes, Returns, Raises, Source ...) a paragraph of its
own, and a line with a gap inside, such as `p = norm(x);  x <- x + attention(p)`, an equation in a block. Classes that
have a place on the API pages are linked to it.
"""

import functools
import re
import textwrap
from pathlib import Path

from griffe import Docstring, Extension, Function, Parameter, ParameterKind, Parameters

API = Path(__file__).resolve().parents[2] / "docs" / "api"
LABELS = ("Args", "Attributes", "Call", "Example", "Raises", "Returns", "Shapes", "Source", "Yields")
LABELLED = re.compile(rf"({'|'.join(LABELS)}):(?: (.*))?")
FIELD = re.compile(r"(`?[a-z_*][\w*]*`?(?:, `?\.*[\w*]*`?)*): (.+)")
# Where a line names a second argument: "attention_dropout_rate: on maps. dropout_rate: on the result."
NEXT_FIELD = re.compile(r"(?<=\.) (?=[a-z]+_\w+(?:, \w+)*: )")
# A label at the end of a sentence: "What a pixel reads. Shapes: -> (B, heads, H, W)"
LABEL_BEHIND = re.compile(r"(?<=\.) (?=Shapes: )")
QUOTED = re.compile(r'"[^"\s]*[*_][^"\s]*"')
EQUATION = re.compile(r"\S {2,}\S")


class HouseStyle(Extension):
    """Rewrites each docstring before it is rendered."""

    def on_object(self, *, obj, **_):
        if obj.docstring is not None:
            obj.docstring.value = with_links(to_markdown(obj.docstring.value), obj.name)

    def on_module_members(self, *, mod, **_):
        """Entry points are made by a function, docstring and all; here nothing runs, so they are told by that."""
        for name, member in [item for item in mod.members.items() if not item[1].is_alias]:
            made = re.fullmatch(r"_entry_point\('\w+', '(\w+)'\)", str(getattr(member, "value", "")))
            if made:
                family = "CoaT" if ".coat." in mod.path else "CoAtNet"
                keywords = Parameters(Parameter("keywords", kind=ParameterKind.var_keyword))
                function = Function(name, parameters=keywords, lineno=member.lineno, endlineno=member.endlineno)
                text = f"Build `{made[1]}`: the keywords are those of `{family}`."
                function.docstring = Docstring(text, parent=function)
                mod.set_member(name, function)


def to_markdown(docstring):
    """The text of a docstring, as Markdown."""
    lines = LABEL_BEHIND.sub("\n\n", plain(docstring)).splitlines()
    return "\n\n".join(filter(None, map(block_to_markdown, blocks(lines))))


def plain(text):
    """Quoted words with signs that mean emphasis to Markdown, such as "coat_*", as code; what is code stays."""
    spans = re.split(r"(`[^`]*`)", text)
    return "".join(span if span.startswith("`") else QUOTED.sub(r"`\g<0>`", span) for span in spans)


def with_links(markdown, own_name):
    """Names of documented classes in backticks lead to them; the one whose docstring it is stays."""
    shown = places()

    def link(found):
        name = found[1]
        return found[0] if name == own_name or name not in shown else f"[{found[0]}][{shown[name]}]"

    return re.sub(r"`([A-Z]\w+)`", link, markdown)


@functools.cache
def places():
    """{last part: full name} of all that the API pages show."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in sorted(API.glob("*.md")))
    return {name.rpartition(".")[2]: name for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)}


def blocks(lines):
    """Lists of lines: paragraphs, and labels or fields with all that is indented below them."""
    found, fresh = [], True
    for line in lines:
        indented = line.startswith(" ")
        if not line.strip():
            fresh = True
            if found:
                found[-1].append("")
        elif indented and found:
            found[-1].append(line)
        elif fresh or begins_block(line) or begins_block(found[-1][0]) or found[-1][-1].startswith(" "):
            found.append([line])
            fresh = False
        else:
            found[-1].append(line)
    return found


def begins_block(line):
    return LABELLED.fullmatch(line) or FIELD.fullmatch(line) or EQUATION.search(line)


def block_to_markdown(lines):
    first, rest = lines[0], textwrap.dedent("\n".join(lines[1:])).strip("\n")
    labelled = LABELLED.fullmatch(first)
    if labelled and labelled[1] == "Example":
        return f"**Example:**\n\n```pycon\n{rest}\n```"
    if labelled and labelled[2] is None:
        return f"**{labelled[1]}:**\n\n{fields(rest)}"
    if labelled:
        return f"**{labelled[1]}:** {joined([labelled[2], rest])}"
    if EQUATION.search(first):
        return textwrap.indent(first, "    ")
    if FIELD.fullmatch(first) and first[0].islower():
        return fields("\n".join([first, textwrap.indent(rest, "    ")]))
    if lines[-1].startswith(" "):
        return f"**{first}**\n\n{fields(rest)}"
    return "\n".join(lines).strip()


def fields(text):
    """`name: what it is` lines as a list; deeper lines belong to the one above."""
    items = []
    for line in text.splitlines():
        if line.startswith(" ") and items:
            items[-1].append(line)
        elif line.strip():
            items.append([line])
    return "\n".join(f"- {field(part)}" for item in items for part in NEXT_FIELD.split(joined(item)))


def field(text):
    named = re.match(r"([\w`*.]+(?:, [\w`*.]+)*): ", text)
    if not named:
        return text
    names = ", ".join(f"`{name.strip('`')}`" if name != "..." else name for name in named[1].split(", "))
    return f"{names}: {text[named.end() :]}"


def joined(lines):
    return " ".join(" ".join(lines).split())
