"""TensorFlow's SavedModel: a folder with the endpoints `serve` and `serving_default`, open in its batch.

With inputs="uint8" it takes pictures of any one size, with "jpeg" encoded files of any size each; crop, resize and
normalisation are inside.
"""

import json
import os

from keras_coatnet.deploy.formats.saved_model_pictures import prepare_bytes
from keras_coatnet.deploy.formats.saved_model_serving import Runner
from keras_coatnet.prediction.inputs import COLOURS, takes_channels_first

METADATA_FILE = os.path.join("assets.extra", "keras_coatnet.json")
ENDPOINT = "serve"
ENDPOINTS = (ENDPOINT, "serving_default")


def write(model, path, request):
    """Writes a SavedModel folder.

    Args:
        model: Keras model on TensorFlow.
        path: folder to make.
        request: `Request`.
    """
    import tensorflow as tf

    function, signature = _endpoint(model, request)
    # Keras' own ExportArchive holds every weight twice, as its variable and as TensorFlow's.
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(function, input_signature=[signature], autograph=False)
    tf.saved_model.save(module, path, signatures=dict.fromkeys(ENDPOINTS, module.serve))
    file = os.path.join(path, METADATA_FILE)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "w", encoding="utf-8") as stream:
        json.dump(request.metadata, stream, ensure_ascii=False, indent=1)


def load(path):
    """A function from a batch to the outputs, run by TensorFlow."""
    return Runner(path, ENDPOINT)


def read_metadata(path):
    """What export said about the model; None for a SavedModel of others."""
    try:
        with open(os.path.join(path, METADATA_FILE), encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return None


def _endpoint(model, request):
    """(function of a batch, what the batch looks like)."""
    import tensorflow as tf

    batch, name = request.batch_size, model.inputs[0].name
    if not request.takes_whole_pictures:
        shape, dtype = (batch, *model.input_shape[1:]), model.inputs[0].dtype
        return lambda images: model(images, training=False), tf.TensorSpec(shape, dtype, name)
    channels_first = takes_channels_first(model)

    def prepared(pictures):
        images = prepare_bytes(pictures, request.preprocessing, request.image_size)  # (B, H, W, 3)
        return tf.transpose(images, (0, 3, 1, 2)) if channels_first else images

    def answer_bytes(pictures):
        return model(prepared(pictures), training=False)

    def answer_encoded(files):
        def decode(file):
            # PIL decodes so, which lets both agree to the last bit.
            picture = tf.io.decode_jpeg(file, channels=COLOURS, dct_method="INTEGER_ACCURATE")
            return prepared(picture[tf.newaxis])[0]

        shape = tf.TensorSpec(model.input_shape[1:], tf.float32)
        return model(tf.map_fn(decode, files, fn_output_signature=shape), training=False)

    if request.inputs == "jpeg":
        return answer_encoded, tf.TensorSpec((batch,), tf.string, name)
    return answer_bytes, tf.TensorSpec((batch, None, None, COLOURS), tf.uint8, name)
