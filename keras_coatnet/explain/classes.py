"""From what a user calls a class to its number."""

import difflib


def find_class(names, wanted):
    """The number of a class.

    Args:
        names: list of `ClassName`.
        wanted: WordNet id, label, one of the lemmas of a WordNet label, in any case; or the number itself.

    Returns: integer from 0.
    Raises: ValueError for none or several that are called so, with the nearest.
    """
    if isinstance(wanted, str) and (found := _called(names, wanted.strip().lower())):
        if len(found) > 1:
            ids = ", ".join(names[index].wnid or str(index) for index in found)
            raise ValueError(f"{len(found)} classes are called {wanted!r}; name one of {ids}.")
        return found[0]
    number = int(wanted) if isinstance(wanted, str) and wanted.strip().isdecimal() else wanted
    if hasattr(number, "__index__") and not isinstance(number, bool):
        if 0 <= number < len(names):
            return int(number)
        raise ValueError(f"A class's number must lie within 0 to {len(names) - 1}; got {number}.")
    known = {lemma for name in names for lemma in _lemmas(name)}
    nearest = difflib.get_close_matches(str(wanted).lower(), known, n=3)
    hint = f" Nearest: {', '.join(nearest)}." if nearest else ""
    raise ValueError(f"No class is called {wanted!r}: the model knows {len(names)} classes.{hint}")


def _called(names, wanted):
    """Numbers of the classes with that id or label, else of those with that lemma."""
    exactly = [index for index, name in enumerate(names) if wanted in ((name.wnid or "").lower(), name.label.lower())]
    return exactly or [index for index, name in enumerate(names) if wanted in _lemmas(name)]


def _lemmas(name):
    """The label, and the parts of WordNet's: "tabby, tabby cat"."""
    return [name.label.lower(), *(name.label.lower().split(", ") if name.wnid else [])]
