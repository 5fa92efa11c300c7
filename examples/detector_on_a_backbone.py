"""Train KerasHub's RetinaNet on a CoaT and on a CoAtNet for a few steps, to find squares and discs in drawn pictures.

    pip install keras-hub
    KERAS_BACKEND=jax python examples/detector_on_a_backbone.py

Narrow backbones without trained weights keep this to a minute or two, and so few steps show no more than that all parts
learn together. For real work take a whole variant with its weights; any size of picture will do:

    backbone = kc.CoaTLiteSmall(pretrained="imagenet", include_top=False, input_shape=(None, None, 3))

or the backbone of a detector that the CoaT authors released, whose last norm stays as it is, unused by detectors:

    kc.load_checkpoint(backbone, "mask_rcnn_coat_lite_small_mstrain_480-800_adamw_3x_coco_c7da01b6.pth", head="fresh")
"""

import time

import keras
import keras_hub
import numpy as np

import keras_coatnet as kc

SIDE, PICTURES, STEPS = 96, 4, 15
SHAPES = ("square", "disc")
BACKBONES = {
    "CoaT-Lite": kc.narrow("coat_lite_mini", (1, 1, 1, 1), (16, 32, 48, 64)),
    "CoAtNet": kc.narrow("coatnet_0", (1, 1, 1, 1), (32, 32, 64, 64), 16),
}


def draw_pictures(generator):
    """Noise with one square or disc on each picture.

    Returns: pictures (N, side, side, 3); boxes (N, 1, 4) as left, top, right, bottom; their classes (N, 1).
    """
    pictures = generator.normal(0, 0.2, (PICTURES, SIDE, SIDE, 3)).astype("float32")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    boxes, classes = np.zeros((PICTURES, 1, 4), "float32"), np.zeros((PICTURES, 1), "float32")
    for number, picture in enumerate(pictures):
        radius = generator.integers(14, 22)
        row, column = generator.integers(radius, SIDE - radius, 2)
        kind = number % len(SHAPES)
        away = np.abs(rows - row), np.abs(columns - column)
        inside = np.maximum(*away) < radius if SHAPES[kind] == "square" else np.hypot(*away) < radius
        picture[inside] += generator.uniform(1, 2, 3)
        boxes[number, 0] = column - radius, row - radius, column + radius, row + radius
        classes[number, 0] = kind
    return pictures, boxes, classes


def build_detector(spec):
    """RetinaNet reads the maps of strides 8 to 32 by name: any model of this package has them as `pyramid_outputs`."""
    encoder = kc.build(spec, include_top=False, input_shape=(SIDE, SIDE, 3))
    backbone = keras_hub.models.RetinaNetBackbone(
        encoder, min_level=3, max_level=5, use_p5=True, image_shape=(SIDE, SIDE, 3)
    )
    detector = keras_hub.models.RetinaNetObjectDetector(
        backbone,
        num_classes=len(SHAPES),
        bounding_box_format="xyxy",
        preprocessor=None,
        pre_logits_num_conv_layers=1,
    )
    detector.compile(optimizer=keras.optimizers.AdamW(1e-3, clipnorm=1.0))
    return detector


def main():
    keras.utils.set_random_seed(0)
    pictures, boxes, classes = draw_pictures(np.random.default_rng(0))
    for name, spec in BACKBONES.items():
        detector = build_detector(spec)
        labels = {"boxes": boxes, "labels": classes}
        start = time.perf_counter()
        losses = detector.fit(pictures, labels, batch_size=PICTURES, epochs=STEPS, verbose=0).history["loss"]
        seconds = time.perf_counter() - start
        print(f"{name}: loss {losses[0]:.2f} -> {losses[-1]:.2f} in {STEPS} steps, {seconds:.0f} s")
        found = detector.predict(pictures, verbose=0)
        print(f"  answers with boxes {found['boxes'].shape} and their classes {found['labels'].shape}")


if __name__ == "__main__":
    main()
