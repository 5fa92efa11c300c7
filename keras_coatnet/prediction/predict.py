"""Pictures to labels in one call."""

from contextlib import closing

from keras_coatnet.images.read import UnreadableImage
from keras_coatnet.prediction.classifier import LARGEST_BATCH, Classifier
from keras_coatnet.prediction.inputs import as_list


def predict(model, images_or_paths, top=5, *, labels=None, batch_size=None):
    """Names the most probable classes of pictures.

    Args:
        model: classifier whose outputs are probabilities.
        images_or_paths: one picture or several, of all kinds that `preprocess_input` takes, and made ready as it does.
        top: how many classes a picture.
        labels: class names in the order of the outputs, "imagenet-1k", "imagenet-12k", "tiny-imagenet", or None: what
            the model's weights say, else what the number of classes says, else the classes' numbers.
        batch_size: pictures at once; None means all, up to 32.

    Returns: a list a picture of `Prediction`s (wnid, label, probability), the most probable first.
    Raises:
        UnreadableImage: a file cannot be read. `Predictor` goes on instead.
        ValueError: an array that is no picture, another number of labels than of outputs, or a model that gives no
            probabilities.
    """
    images = as_list(images_or_paths)
    if batch_size is None:
        batch_size = min(len(images), LARGEST_BATCH) or 1
    results = []
    with closing(Classifier(model, labels, top, batch_size).stream(images)) as answers:
        for _, answer in answers:
            if isinstance(answer, UnreadableImage):
                raise answer
            results.append(answer)
    return results
