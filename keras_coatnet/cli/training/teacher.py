"""The teacher of `keras-coatnet train --teacher`: a saved model of the same classes and pictures."""

from keras_coatnet.prediction.inputs import preprocessing_of
from keras_coatnet.prediction.load import MODEL_ENDING, load
from keras_coatnet.training.run.distillation import Distiller


def distiller(student, file, classes, recipe):
    """A `Distiller` around a student, with the recipe's share and temperature.

    Args:
        student: that is trained; its `preprocessing_of` is what the pictures will have gone through.
        file: of the teacher, a `.keras` file.
        classes: names in the order of the student's outputs.
        recipe: `Recipe`.

    Raises: ValueError for another file, other classes, or pictures that are made ready otherwise.
    """
    if not file.endswith(MODEL_ENDING):
        raise ValueError(f"--teacher must be a {MODEL_ENDING} file, such as a run's model{MODEL_ENDING}; got {file}")
    teacher, labels = load(file)
    if labels is not None and list(labels) != list(classes):
        raise ValueError(f"--teacher {file} knows {len(labels)} other classes than the {len(classes)} of the data")
    ours, theirs = preprocessing_of(student), preprocessing_of(teacher)
    if (ours.mean, ours.std) != (theirs.mean, theirs.std):
        raise ValueError(
            f"--teacher {file} takes pictures of mean {theirs.mean} and std {theirs.std}; the student's have "
            f"{ours.mean} and {ours.std}"
        )
    return Distiller(student, teacher, share=recipe.teacher_share, temperature=recipe.teacher_temperature)
