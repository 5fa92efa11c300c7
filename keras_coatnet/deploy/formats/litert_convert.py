"""From a Keras model to the bytes of a LiteRT file."""

import functools
import tempfile

import numpy as np

from keras_coatnet.deploy.formats.litert_int8 import SCHEMES, quantize

FLOAT16 = "float16"


def convert(model, batch_size, quantization=None, calibration=None):
    """Converts a model by way of a SavedModel. Keras runs on TensorFlow.

    Args:
        model: Functional `keras.Model` in float32.
        batch_size: images a call; None leaves it open.
        quantization: None; "float16" (weights); "dynamic" (weights int8, activations as they come); or a name of
            `litert_int8.SCHEMES`.
        calibration: pictures as the model takes them (N, H, W, 3), for the schemes.

    Returns: bytes.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(model, batch_size, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantization is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        if quantization not in SCHEMES:
            return converter.convert()
        pictures = functools.partial(one_by_one, calibration, model.inputs[0].dtype, batch_size or 1)
        converter.representative_dataset = pictures
        converter._experimental_calibrate_only = True
        return quantize(converter.convert(), pictures(), SCHEMES[quantization])


def write_saved_model(model, batch_size, folder):
    """Writes a SavedModel with one signature, of a fixed or an open batch.

    Of Keras' own export it takes a quarter of the time: that saves every layer's functions too.
    """
    import tensorflow as tf

    images = tf.TensorSpec((batch_size, *model.input_shape[1:]), model.inputs[0].dtype, name="images")
    module = tf.Module()
    # TensorFlow does not see through Keras' variables, and would save the model without them.
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(lambda images: {"predictions": model(images, training=False)}, input_signature=[images])
    tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})


def one_by_one(pictures, dtype, batch_size):
    """Yields what the calibrator takes: a list with one batch, each of one picture as often as the batch has places."""
    for picture in pictures:
        yield [np.repeat(np.asarray(picture[np.newaxis], dtype), batch_size, axis=0)]
