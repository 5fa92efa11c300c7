"""Small twins of all variants: the same fields at few channels and blocks, for tests that build or run them."""

import dataclasses

import keras_coatnet as kc
from keras_coatnet.coatnet.variants import VARIANTS


def narrow_twin(name, extra_depth=0):
    """A twin with every block kind of the variant once a stage, `extra_depth` more blocks in the last stage.

    Widths are as small as whole attention heads allow, and grow in the last stage.
    """
    spec = kc.get_spec(name)
    last = len(spec.depths) - 1
    attends = ["T" in letters for letters in spec.layout]
    # The first attention of a stage may have its heads from the width of the stage before.
    wide = [attends[stage] or attends[min(stage + 1, last)] for stage in range(last + 1)]
    widths = [(spec.head_dim if wide[stage] else 16) * (1 + (stage == last)) for stage in range(last + 1)]
    depths = [len(letters) + extra_depth * (stage == last) for stage, letters in enumerate(spec.layout)]
    stem = 8 if isinstance(spec.stem, int) else (*(8 for _ in spec.stem[1:]), 16)
    return kc.narrow(spec, depths, widths, stem)


def forms():
    """One variant for every set of fields: two variants that differ in widths and depths alone have the same form."""
    chosen = {}
    for name in list(VARIANTS):
        twin = narrow_twin(name)
        form = dataclasses.replace(twin, name="", drop_path_rate=0.0, num_classes=1, input_size=0)
        chosen.setdefault(form, name)
    return list(chosen.values())
