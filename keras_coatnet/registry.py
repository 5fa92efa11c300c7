"""All families in one place: from a name to its spec, its model and its counts."""

import dataclasses
import fnmatch
from collections.abc import Callable, Mapping

import keras

from keras_coatnet.coat.count import count_coat
from keras_coatnet.coat.model import CoaT
from keras_coatnet.coat.model import fold as fold_coat
from keras_coatnet.coat.model import rebuild as rebuild_coat
from keras_coatnet.coat.sharding import SHARDED_KERNELS as SHARDED_COAT_KERNELS
from keras_coatnet.coat.spec import CoaTSpec
from keras_coatnet.coat.spec import narrow_spec as narrow_coat
from keras_coatnet.coat.stages import list_stages as list_coat_stages
from keras_coatnet.coat.variants import VARIANTS as COAT_VARIANTS
from keras_coatnet.coatnet.count import count_coatnet
from keras_coatnet.coatnet.model import CoAtNet, fold, rebuild
from keras_coatnet.coatnet.sharding import SHARDED_KERNELS
from keras_coatnet.coatnet.spec import CoAtNetSpec, narrow_spec
from keras_coatnet.coatnet.stages import list_stages
from keras_coatnet.coatnet.variants import VARIANTS as COATNET_VARIANTS
from keras_coatnet.families.check import find_variant
from keras_coatnet.weights.slots import copy_weights


@dataclasses.dataclass(frozen=True)
class Family:
    """What every family offers."""

    spec_class: type
    variants: Mapping
    build: Callable
    count: Callable
    narrow: Callable
    rebuild: Callable
    fold: Callable
    list_stages: Callable
    sharded_kernels: Mapping


FAMILIES = (
    Family(
        CoAtNetSpec,
        COATNET_VARIANTS,
        CoAtNet,
        count_coatnet,
        narrow_spec,
        rebuild,
        fold,
        list_stages,
        SHARDED_KERNELS,
    ),
    Family(
        CoaTSpec,
        COAT_VARIANTS,
        CoaT,
        count_coat,
        narrow_coat,
        rebuild_coat,
        fold_coat,
        list_coat_stages,
        SHARDED_COAT_KERNELS,
    ),
)


def list_variants(pattern="*"):
    """Names of all variants that match a shell pattern, in the order of their tables.

    Args:
        pattern: such as "coatnet_*_rw".
    """
    return [name for family in FAMILIES for name in family.variants if fnmatch.fnmatchcase(name, pattern)]


def get_spec(name):
    """The row of a variant.

    Raises: ValueError for an unknown name, with the nearest known ones.
    """
    return find_variant(name, {known: spec for family in FAMILIES for known, spec in family.variants.items()})


def family_of(spec_or_name):
    """(family, spec) of a name or a spec."""
    spec = get_spec(spec_or_name) if isinstance(spec_or_name, str) else spec_or_name
    for family in FAMILIES:
        if isinstance(spec, family.spec_class):
            return family, spec
    raise TypeError(f"A variant is a name or a spec; got {type(spec).__name__}.")


def build(name, **keywords):
    """Build a variant of any family by name.

    Args:
        name: of a variant, or a spec.
        keywords: those of the family's own function, such as `CoAtNet`.
    """
    family, spec = family_of(name)
    return family.build(spec, **keywords)


def count(spec_or_name, input_shape=None):
    """Parameters and multiply-adds of a variant by arithmetic; nothing is built.

    Args:
        spec_or_name: name of a variant or a spec.
        input_shape: (H, W, C), or (H, W); None is the variant's own size and 3 channels.

    Returns: named tuple (trainable, parameters, macs): trainable weights, these and the batch norms' statistics, and
        multiply-adds of convolutions, dense layers and attention products for one image.
    Raises: ValueError for an unknown name or a size the variant cannot take.
    """
    family, spec = family_of(spec_or_name)
    return family.count(spec, input_shape)


def narrow(spec_or_name, depths, widths, stem=None):
    """A small twin of a variant: other depths, widths and stem, every other field kept.

    Args:
        spec_or_name: name of a variant or a spec.
        depths, widths: blocks and channels of each stage; a CoaT may have its number of parallel blocks behind them.
        stem: width of the stem, or one width a convolution; None for a CoaT, which has none.
    """
    family, spec = family_of(spec_or_name)
    return family.narrow(spec, depths, widths, stem)


def stage_outputs(model):
    """A model that gives the map behind the stem, where there is one, and behind every stage, un-normed, channels last.

    Args:
        model: of this package, with or without a top.

    Returns: `keras.Model` with the inputs of `model` and a list of maps.
    """
    return keras.Model(model.input, model.stage_tensors, name=f"{model.name}_stages")


def resize_model(model, input_shape):
    """The same model with the same weights at another size; relative-position tables are resized by the spec's rule.

    Args:
        model: of this package, as its own function built it.
        input_shape: (height, width, channels) in the order of Keras' image data format; sides may be None.

    Returns: a new model.
    Raises: ValueError for a model without a spec, with layers put in front of it, or for a size that it cannot take.
    """
    check_own(model, "resized")
    family, _ = family_of(model.spec)
    resized = family.rebuild(model, input_shape)
    copy_weights(model, resized)
    resized.origin = model.origin
    return resized


def check_own(model, done):
    """Raise a ValueError unless a model is as this package built it, with a spec and nothing put in front.

    Args:
        model: to check.
        done: what was to be done to it, for the message: "resized".
    """
    if getattr(model, "spec", None) is None:
        name = getattr(model, "name", type(model).__name__)
        raise ValueError(f"Only models of this package, which have a spec, are {done}; {name!r} has none.")
    known = {
        "channels_last",
        "channels_first",
        "avg_pool",
        "max_pool",
        "head_dropout",
        *model.plain_layers,
        *(layer.name for layer in model.checkpoint_layers),
    }
    foreign = [layer.name for layer in model.layers if layer.name not in known and not is_input(layer)]
    if foreign:
        raise ValueError(f"A model is {done} as it was built; {model.name!r} has other layers: {', '.join(foreign)}.")


def folded_twin(model):
    """(twin with nothing left of norms that can be folded, steps that turn the weights of `model` into its).

    Raises: ValueError for a model without a spec, or with layers put in front of it.
    """
    check_own(model, "fused")
    family, _ = family_of(model.spec)
    return family.fold(model)


def is_input(layer):
    return isinstance(layer, keras.layers.InputLayer)
