"""Learning from a teacher: loss = (1 - a) loss(labels) + a T^2 KL(teacher_T || student_T). arXiv 1503.02531."""

import keras
from keras import ops

from keras_coatnet.training.optimization.compilation import output_activation


@keras.saving.register_keras_serializable(package="keras_coatnet")
class Distiller(keras.Model):
    """A student and its teacher, to be compiled and fitted in the student's place: `train(student, ..., engine=this)`.

    Outputs, metrics and weights that learn are the student's; the teacher sees the same pictures, resized where it
    takes another size, and answers as in inference.

    Args:
        student: classifier.
        teacher: any `keras.Model` with as many classes; its weights do not change.
        share: a, of the teacher in the loss.
        temperature: T; higher ones tell more of the classes that the teacher thinks less likely.

    Raises: ValueError for another number of classes, outputs that are no classes of which one holds, or a share or
        temperature that cannot be.
    """

    def __init__(self, student, teacher, *, share=0.5, temperature=2.0, **kwargs):
        super().__init__(**kwargs)
        if student.output_shape[-1] != teacher.output_shape[-1]:
            raise ValueError(
                f"Student and teacher must have the same classes; got {student.output_shape[-1]} and "
                f"{teacher.output_shape[-1]}."
            )
        if not 0 <= share <= 1 or temperature <= 0:
            raise ValueError(f"share must be from 0 to 1 and temperature above 0; got {share!r} and {temperature!r}.")
        self.activations = [output_activation(model) for model in (student, teacher)]
        if "sigmoid" in self.activations:
            raise ValueError("Distillation is of softmax outputs or logits; a sigmoid knows classes one by one.")
        self.student, self.teacher = student, teacher
        self.share, self.temperature = share, temperature
        teacher.trainable = False

    def call(self, x, training=None):
        return self.student(x, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
        if not training:
            return loss
        answers = ops.stop_gradient(self.teacher(self._for_teacher(x), training=False))
        wanted = self._softened(answers, self.activations[1])
        given = self._softened(y_pred, self.activations[0])
        divergence = ops.mean(ops.sum(ops.exp(wanted) * (wanted - given), axis=-1))
        return (1 - self.share) * loss + self.share * self.temperature**2 * divergence

    def _for_teacher(self, x):
        size = self.teacher.input_shape[1:3]
        if None in size or tuple(x.shape[1:3]) == size:
            return x
        return ops.image.resize(x, size, interpolation="bilinear", antialias=True, data_format="channels_last")

    def _softened(self, outputs, activation):
        """Logarithms of the probabilities at the temperature; those of probabilities serve as logits."""
        outputs = ops.cast(outputs, "float32")
        logits = outputs if activation == "linear" else ops.log(ops.maximum(outputs, 1e-30))
        return ops.log_softmax(logits / self.temperature, axis=-1)
