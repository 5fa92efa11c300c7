"""Labels and metadata in a LiteRT file: a zip behind the model, as the format's own associated files are.

The interpreter reads the model and nothing behind it; any zip program opens the rest.
"""

import json
import zipfile

METADATA_FILE = "keras_coatnet.json"
LABELS_FILE = "labels.txt"
# Zips hold a time for each entry; the first they know keeps equal models equal files.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def append_metadata(path, metadata):
    """Appends `keras_coatnet.json`, and `labels.txt` with one label a line where the metadata have labels.

    Args:
        path: of a LiteRT file without a zip.
        metadata: dictionary that JSON can hold; its labels are under "labels".
    """
    texts = {METADATA_FILE: json.dumps(metadata, ensure_ascii=False, indent=1) + "\n"}
    if metadata.get("labels"):
        texts[LABELS_FILE] = "".join(f"{label}\n" for label in metadata["labels"])
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), text, zipfile.ZIP_DEFLATED)


def read_metadata(path):
    """What `append_metadata` wrote; None for a file of another origin."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read(METADATA_FILE))
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None
    return found if isinstance(found, dict) else None
