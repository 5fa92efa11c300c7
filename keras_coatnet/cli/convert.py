"""keras-coatnet convert IN OUT: a checkpoint of one origin as a file of another."""

from pathlib import Path

import keras
import numpy as np

from keras_coatnet import registry
from keras_coatnet.cli.errors import UsageError, bad_input
from keras_coatnet.weights.checkpoint import save_checkpoint

ENDINGS = {
    ".weights.h5": "keras",
    ".keras": "keras",
    ".h5": "kecam",
    ".safetensors": "timm",
    ".pth": "timm",
    ".pt": "timm",
    ".bin": "timm",
}


def add_parser(subparsers):
    parser = subparsers.add_parser("convert", help="rewrite a checkpoint for timm, keras_cv_attention_models or Keras")
    parser.add_argument("input", metavar="IN", help="checkpoint of any known format")
    parser.add_argument("output", metavar="OUT", help="file to write; its ending says the format")
    parser.add_argument("--model", required=True, metavar="NAME", help="the variant that both files are of")
    parser.add_argument(
        "--to", choices=("timm", "kecam", "keras"), help="whose names OUT has (default: what its ending says)"
    )
    parser.set_defaults(run=run)


def run(options):
    target = options.to or source_of(options.output)
    with bad_input():
        spec = registry.get_spec(options.model)
        # Open sides: the tables keep the size that the file has them in.
        model = build(options.model, options.input)
        save_checkpoint(model, options.output, target)
        again = build(options.model, options.output)
    difference, spread = compare(model, again, spec.input_size)
    size = Path(options.output).stat().st_size
    print(f"{options.output}: {target}, {model.output_shape[-1]} classes, {size / 1e6:,.1f} MB")
    print(f"largest logits difference, read back: {difference:.2e} (logits spread over {spread:.2f})")
    return 0


def source_of(path):
    """Whose files end like this one."""
    for ending, source in ENDINGS.items():
        if path.endswith(ending):
            return source
    raise UsageError(f"OUT must end in one of {', '.join(ENDINGS)}; got {path!r}")


def build(name, path):
    """A model of open size with the weights of a file, giving logits."""
    shape = (3, None, None) if keras.config.image_data_format() == "channels_first" else (None, None, 3)
    return registry.build(name, input_shape=shape, pretrained=path, classifier_activation=None)


def compare(model, other, side):
    """(largest difference of the logits, their standard deviation) on noise of the variant's own size."""
    noise = np.random.default_rng(0).standard_normal((2, side, side, 3)).astype("float32")
    if keras.config.image_data_format() == "channels_first":
        noise = noise.transpose(0, 3, 1, 2)
    logits, others = (each.predict(noise, verbose=0) for each in (model, other))
    return float(np.abs(logits - others).max()), float(logits.std())
