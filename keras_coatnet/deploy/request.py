"""What is asked of a file that ships: one record, handed from the checks down to the writers."""

import dataclasses

import numpy as np

from keras_coatnet.images.preprocess import Preprocessing


@dataclasses.dataclass(frozen=True)
class Request:
    """Everything that a writer of a format needs to know besides the model.

    Args:
        format: name of a row of `formats.FORMATS`.
        batch_size: images a call; None leaves it open.
        image_size: (height, width); None leaves both open.
        inputs: "float" (prepared pictures), "uint8" (pictures from 0 to 255) or "jpeg" (encoded files).
        quantization: None, "float16", "dynamic" or "int8".
        gelu_builtin: whether a LiteRT file may hold the GELU builtin, which older GPU delegates refuse.
        preprocessing: what the model wants done to a picture.
        calibration: pictures as the model takes them, (N, H, W, 3), from which int8 ranges are taken; float32, or uint8
            where the inputs are; else None.
        metadata: what the file shall say about itself; JSON can hold it.
    """

    format: str
    batch_size: int | None = None
    image_size: tuple[int, int] | None = None
    inputs: str = "float"
    quantization: str | None = None
    gelu_builtin: bool = True
    preprocessing: Preprocessing | None = None
    calibration: np.ndarray | None = None
    metadata: dict = dataclasses.field(default_factory=dict)

    @property
    def takes_whole_pictures(self):
        """Whether the file crops and resizes by itself."""
        return self.format == "saved_model" and self.inputs != "float"
