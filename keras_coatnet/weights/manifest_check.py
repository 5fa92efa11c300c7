"""Whether a manifest file is what weights_manifest.schema.json describes, and which row and field is not."""

import difflib
import json
from pathlib import Path

SHOWN_ERRORS = 6


def read_schema():
    """The JSON Schema of weights_manifest.json."""
    path = Path(__file__).parents[1] / "weights_manifest.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))


def check_manifest(path, name):
    """The list of rows in a manifest file.

    Args:
        path: of the file.
        name: what messages call it.

    Raises: FileNotFoundError; ValueError with every row and field that is wrong.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{name}: there is no such file.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as JSON: {error}") from error
    problems = list(find_problems(entries))
    if problems:
        more = f";\n  and {len(problems) - SHOWN_ERRORS} more" if len(problems) > SHOWN_ERRORS else ""
        raise ValueError(f"{name} is no valid weights manifest:\n  " + ";\n  ".join(problems[:SHOWN_ERRORS]) + more)
    return entries


def find_problems(entries):
    """One line for each thing that is wrong with the content of a manifest."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(read_schema())
    errors = sorted(validator.iter_errors(entries), key=lambda error: list(map(str, error.absolute_path)))
    if errors:
        yield from (f"{place(error, entries)}: {reason(error)}" for error in errors)
        return
    seen = {}
    for number, entry in enumerate(entries):
        key = entry["variant"], entry["tag"], entry["input_size"]
        if key in seen:
            yield f"{row_name(number, entry)}: same variant, tag and input_size as row {seen[key]}"
        seen[key] = number


def place(error, entries):
    """ "row 2 (coatnet_0.mine), field files[0].sha256" of an error."""
    path = list(error.absolute_path)
    if not path:
        return "the file"
    where = row_name(path[0], entries[path[0]])
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:]).lstrip(".")
    return f"{where}, field {field}" if field else where


def row_name(number, entry):
    named = isinstance(entry, dict) and "variant" in entry and "tag" in entry
    return f"row {number} ({entry['variant']}.{entry['tag']})" if named else f"row {number}"


def reason(error):
    """What is wrong and what is allowed; the names nearest to an unknown field's."""
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = [name for name in error.instance if name not in known]
        hints = [match for name in unknown for match in difflib.get_close_matches(name, known, n=1)]
        nearest = f"; nearest: {', '.join(hints)}" if hints else ""
        return f"unknown field {', '.join(unknown)}{nearest}"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"without {', '.join(missing)}"
    if error.validator == "enum":
        allowed = ", ".join(map(str, error.validator_value))
        return f"must be one of {allowed}; got {error.instance!r}"
    if error.validator == "type":
        allowed = error.validator_value
        wanted = " or ".join(allowed) if isinstance(allowed, list) else allowed
        return f"must be of type {wanted}; got {error.instance!r}"
    return error.message
