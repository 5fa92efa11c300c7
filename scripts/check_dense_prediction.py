"""Put narrow CoAtNets and CoaTs into KerasHub's RetinaNet and DeepLabV3, train each for a few steps, have it answer.

    KERAS_BACKEND=jax python scripts/check_dense_prediction.py

Needs keras-hub, which check_release installs. Exit status 1 where a loss does not fall or an answer has a wrong shape.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import keras_hub
import numpy as np

import keras_coatnet as kc

HEIGHT, WIDTH = 128, 160
IMAGES, STEPS = 4, 12
WIDTHS = (32, 64, 96, 128)
# The default family, timm's with its norm behind the last map, CoaTs of serial and of parallel blocks; fixed and open
# sizes.
ENCODERS = {
    "coatnet_0, fixed size": (kc.narrow("coatnet_0", (1, 1, 1, 1), WIDTHS, 64), (HEIGHT, WIDTH, 3)),
    "coatnet_2_rw, open size": (kc.narrow("coatnet_2_rw", (1, 1, 1, 1), WIDTHS, (32, 64)), (None, None, 3)),
    "coat_lite_small, fixed size": (kc.narrow("coat_lite_small", (1, 1, 1, 1), WIDTHS), (HEIGHT, WIDTH, 3)),
    "coat_small, open size": (kc.narrow("coat_small", (1, 1, 1, 1, 2), (32, 64, 64, 64)), (None, None, 3)),
}


def main():
    keras.utils.set_random_seed(0)
    failures = []
    for description, (spec, shape) in ENCODERS.items():
        for check in (check_detector, check_segmenter):
            encoder = kc.build(spec, include_top=False, input_shape=shape)
            failures += [f"{description}: {failure}" for failure in check(encoder, description)]
    print("\n".join(failures) or f"keras-hub {keras_hub.__version__} takes our backbones on {keras.backend.backend()}")
    return len(failures) > 0


def scenes():
    """Noisy images with one bright rectangle each, its box (y, x, y, x) and its mask."""
    generator = np.random.default_rng(0)
    images = generator.normal(0, 0.1, (IMAGES, HEIGHT, WIDTH, 3)).astype("float32")
    masks = np.zeros((IMAGES, HEIGHT, WIDTH), "int32")
    boxes = np.zeros((IMAGES, 1, 4), "float32")
    for index in range(IMAGES):
        top, left = generator.integers(0, (HEIGHT // 2, WIDTH // 2))
        bottom, right = top + HEIGHT // 3, left + WIDTH // 3
        images[index, top:bottom, left:right] += 1
        masks[index, top:bottom, left:right] = 1
        boxes[index, 0] = top, left, bottom, right
    return images, boxes, masks


def check_detector(encoder, description):
    images, boxes, _ = scenes()
    backbone = keras_hub.models.RetinaNetBackbone(
        encoder, min_level=3, max_level=7, use_p5=True, image_shape=(HEIGHT, WIDTH, 3)
    )
    detector = keras_hub.models.RetinaNetObjectDetector(
        backbone, num_classes=2, bounding_box_format="yxyx", preprocessor=None, pre_logits_num_conv_layers=1
    )
    detector.compile(optimizer=keras.optimizers.Adam(1e-3))
    labels = {"boxes": boxes, "labels": np.zeros((IMAGES, 1), "float32")}
    yield from train(detector, images, labels, f"RetinaNet on {description}")
    found = detector.predict(images, verbose=0)
    if found["boxes"].shape[0] != IMAGES or found["boxes"].shape[-1] != 4:
        yield f"RetinaNet answers with boxes of shape {found['boxes'].shape}"


def check_segmenter(encoder, description):
    images, _, masks = scenes()
    backbone = keras_hub.models.DeepLabV3Backbone(
        encoder,
        spatial_pyramid_pooling_key="P5",
        low_level_feature_key="P2",
        upsampling_size=8,
        dilation_rates=[1, 2],
        image_shape=(HEIGHT, WIDTH, 3),
    )
    segmenter = keras_hub.models.DeepLabV3ImageSegmenter(backbone, num_classes=2, preprocessor=None)
    segmenter.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["sparse_categorical_accuracy"],
    )
    yield from train(segmenter, images, masks, f"DeepLabV3 on {description}")
    found = segmenter.predict(images, verbose=0)
    if found.shape != (IMAGES, HEIGHT, WIDTH, 2):
        yield f"DeepLabV3 answers with maps of shape {found.shape}"


def train(model, images, labels, name):
    """A few steps on all images; a complaint where the loss does not fall."""
    started = time.perf_counter()
    losses = model.fit(images, labels, batch_size=IMAGES, epochs=STEPS, shuffle=False, verbose=0).history["loss"]
    seconds = time.perf_counter() - started
    print(f"{name}: loss {losses[0]:.3f} -> {losses[-1]:.3f} in {STEPS} steps, {seconds:.0f} s", flush=True)
    if not (np.isfinite(losses).all() and losses[-1] < 0.8 * losses[0]):
        yield f"the loss does not fall: {losses}"


if __name__ == "__main__":
    sys.exit(main())
