"""Make keras_coatnet/images/imagenet_labels.tsv.gz from the lists in timm's wheel and the ids of Tiny-ImageNet.

    python scripts/make_labels.py        # in an environment that has timm

A line a class, sorted by WordNet id: the id, in which lists it is (such as "1k,12k"), and its lemmas. All lists are
sorted by id, so the order of the lines is the order of a model's outputs.
"""

import gzip
import importlib.util
import pathlib

SCRIPTS = pathlib.Path(__file__).resolve().parent
TARGET = SCRIPTS.parent / "keras_coatnet" / "images" / "imagenet_labels.tsv.gz"
TIMM_LISTS = {"1k": "imagenet_synsets.txt", "12k": "imagenet12k_synsets.txt"}
TINY_IMAGENET = SCRIPTS / "tiny_imagenet_wnids.txt"


def main():
    # Found, not imported: the lists need neither torch nor torchvision.
    wheel = pathlib.Path(importlib.util.find_spec("timm").submodule_search_locations[0])
    folder = wheel / "data" / "_info"
    members = {name: (folder / file).read_text().split() for name, file in TIMM_LISTS.items()}
    members["tiny-imagenet"] = TINY_IMAGENET.read_text().split()
    for name, ids in members.items():
        if ids != sorted(set(ids)):
            raise SystemExit(f"the list {name} is not sorted, or repeats an id: its order would be lost")
    lemmas = dict(line.split("\t") for line in (folder / "imagenet_synset_to_lemma.txt").read_text().splitlines())
    sets = {name: set(ids) for name, ids in members.items()}
    lines = [
        f"{wnid}\t{','.join(name for name in members if wnid in sets[name])}\t{lemmas[wnid]}\n"
        for wnid in sorted(set().union(*sets.values()))
    ]
    # No time stamp: a second run gives the same bytes.
    TARGET.write_bytes(gzip.compress("".join(lines).encode(), 9, mtime=0))
    print(f"{TARGET.name}: {len(lines):,} classes, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
