"""Pictures to evaluate on: which there are, and which of a model's classes each is of."""

from pathlib import Path

from keras_coatnet.images.labels import class_names
from keras_coatnet.training.data.folders import HELD_OUT_FOLDERS, picture_files
from keras_coatnet.training.data.lists import LIST_SUFFIXES
from keras_coatnet.training.data.sources import Files, Rows, open_data
from keras_coatnet.training.data.tfds import TFDS_PREFIX

PARTS = ("val", "test", "train", "all")


def open_for_evaluation(where, classes, labels=None, part=None):
    """Finds pictures with the classes of a model; reads none.

    Args:
        where: a folder of class folders, or of `val/` or `validation/`, `test/`, `train/`; or a list or "tfds:NAME", as
            `open_data` takes them.
        classes: how many the model has.
        labels: its names, in order; None is the label set of that size, or else the order of the folders' names.
        part: "val", "test", "train" or, for a folder of class folders, "all"; None is the first there is.

    Returns: `Files` or `Rows`.
    Raises: ValueError for another part, or for class names that the model does not have.
    """
    if str(where).startswith(TFDS_PREFIX) or Path(where).suffix.lower() in LIST_SUFFIXES:
        return _of_data(where, classes, labels, part or "val")
    folder = _part_folder(Path(where), part)
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    index = class_indices(found, classes, labels, folder)
    examples = [(str(path), index[name]) for name in found for path in picture_files(folder / name)]
    if not examples:
        raise ValueError(f"{folder}: holds no class folders with pictures")
    return Files(*(tuple(each) for each in zip(*examples, strict=True)))


def class_indices(found, classes, labels, where):
    """name -> place among the model's classes, by WordNet id or label; by order where the model has no names.

    Raises: ValueError for a name that the model does not have.
    """
    names = class_names(labels, classes)
    if names is None:
        if len(found) != classes:
            raise ValueError(
                f"{where}: has {len(found)} classes, and the model {classes}, of which nobody says the names"
            )
        return {name: place for place, name in enumerate(found)}
    places = {each.label: place for place, each in enumerate(names)}
    places |= {each.wnid: place for place, each in enumerate(names) if each.wnid}
    unknown = [name for name in found if name not in places]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise ValueError(f"{where}: the model has no class {', '.join(map(repr, unknown[:3]))}{more}")
    return places


def _part_folder(folder, part):
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; data is a folder with one folder a class")
    names = {"val": HELD_OUT_FOLDERS, "test": ("test",), "train": ("train",)}
    if part not in (None, *PARTS):
        raise ValueError(f"part must be one of {', '.join(PARTS)}; got {part!r}")
    for kind in names if part is None else [part] if part != "all" else []:
        for name in names[kind]:
            if (folder / name).is_dir():
                return folder / name
    if part not in (None, "all"):
        raise ValueError(f"{folder}: has no {' or '.join(f'{name}/' for name in names[part])}")
    return folder


def _of_data(where, classes, labels, part):
    data = open_data(where)
    source = {"val": data.held_out, "test": data.test, "train": data.train}.get(part)
    if source is None:
        raise ValueError(f"{where}: has no part {part!r}")
    index = class_indices(data.classes, classes, labels, where)
    places = [index[name] for name in data.classes]
    if isinstance(source, Files):
        return Files(source.paths, tuple(places[label] for label in source.labels))
    if places != list(range(len(places))):
        raise ValueError(f"{where}: has its classes in another order than the model")
    return source if isinstance(source, Rows) else Rows(source)
