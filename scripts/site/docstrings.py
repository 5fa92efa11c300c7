"""Docstrings of this package as Markdown, for the pages of the site that show them.

An Args list becomes a list, what stands behind another label (Shapes, Returns, Raises, Source ...) a paragraph of its
own, and a line with a gap inside, such as `p = norm(x);  x <- x + attention(p)`, an equation in a block.
"""

import re
import textwrap

from griffe import Docstring, Extension

LABELS = ("Args", "Attributes", "Call", "Example", "Raises", "Returns", "Shapes", "Source", "Yields")
LABELLED = re.compile(rf"({'|'.join(LABELS)}):(?: (.*))?")
FIELD = re.compile(r"(`?[a-z_*][\w*]*`?(?:, `?\.*[\w*]*`?)*): (.+)")
# Where a line names a second argument: "attention_dropout_rate: on maps. dropout_rate: on the result."
NEXT_FIELD = re.compile(r"(?<=\.) (?=[a-z]+_\w+(?:, \w+)*: )")
EQUATION = re.compile(r"\S {2,}\S")


class HouseStyle(Extension):
    """Rewrites each docstring before it is rendered."""

    def on_object(self, *, obj, **_):
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)

    def on_attribute_instance(self, *, attr, **_):
        """Entry points get their docstring when they are made; here nothing runs."""
        made = re.fullmatch(r"_entry_point\('\w+', '(\w+)'\)", str(attr.value))
        if made:
            family = "CoaT" if ".coat." in attr.path else "CoAtNet"
            attr.docstring = Docstring(f"Build `{made[1]}`, with the keywords of `{family}`.", parent=attr)


def to_markdown(docstring):
    """The text of a docstring, as Markdown."""
    return "\n\n".join(filter(None, map(block_to_markdown, blocks(docstring.splitlines()))))


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
