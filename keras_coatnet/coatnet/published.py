"""Accuracies that others published for models whose weights nobody released; the manifest has those with weights."""

from typing import NamedTuple

PAPER = "arXiv 2106.04803"
KECAM = "keras_cv_attention_models README"


class Figure(NamedTuple):
    """Top-1 on ImageNet-1k's validation images, in percent.

    Args:
        variant: name of the architecture.
        top1: in percent.
        input_size: side of the images; None where the source does not say.
        trained_on: data, the last one behind a plus for fine-tuning.
        source: who says so.
        note: what differs from the variant or from the usual recipe.
    """

    variant: str
    top1: float
    input_size: int | None
    trained_on: str
    source: str
    note: str = ""


IN1K = "ImageNet-1k"
IN21K = "ImageNet-21k + 1k"
JFT = "JFT-300M + 1k"
JFT3B = "JFT-3B + 1k"
DEPTHWISE = 'stride_in="depthwise"'
RANDAUGMENT = "RandAugment in pre-training"
LONG = f"{RANDAUGMENT}, 150 epochs"

# The paper's two figures for ImageNet-21k at 224 are left out: they repeat those at 384 and stand in one table of two.
FIGURES = (
    Figure("coatnet_0_paper", 81.6, 224, IN1K, PAPER),
    Figure("coatnet_0_paper", 82.0, 224, IN1K, PAPER, DEPTHWISE),
    Figure("coatnet_0_paper", 83.9, 384, IN1K, PAPER),
    Figure("coatnet_1_paper", 83.3, 224, IN1K, PAPER),
    Figure("coatnet_1_paper", 83.5, 224, IN1K, PAPER, DEPTHWISE),
    Figure("coatnet_1_paper", 85.1, 384, IN1K, PAPER),
    Figure("coatnet_2_paper", 84.1, 224, IN1K, PAPER),
    Figure("coatnet_2_paper", 84.1, 224, IN1K, PAPER, DEPTHWISE),
    Figure("coatnet_2_paper", 85.7, 384, IN1K, PAPER),
    Figure("coatnet_2_paper", 85.9, 512, IN1K, PAPER),
    Figure("coatnet_2_paper", 87.1, 384, IN21K, PAPER),
    Figure("coatnet_2_paper", 87.3, 512, IN21K, PAPER),
    Figure("coatnet_3_paper", 84.5, 224, IN1K, PAPER),
    Figure("coatnet_3_paper", 85.8, 384, IN1K, PAPER),
    Figure("coatnet_3_paper", 86.0, 512, IN1K, PAPER),
    Figure("coatnet_3_paper", 87.6, 384, IN21K, PAPER, "87.9 in its table 8"),
    Figure("coatnet_3_paper", 87.9, 512, IN21K, PAPER),
    Figure("coatnet_3_paper", 88.52, 384, JFT, PAPER, DEPTHWISE),
    Figure("coatnet_3_paper", 88.81, 512, JFT, PAPER, DEPTHWISE),
    Figure("coatnet_4_paper", 87.9, 384, IN21K, PAPER),
    Figure("coatnet_4_paper", 88.1, 512, IN21K, PAPER),
    Figure("coatnet_4_paper", 88.3, 384, IN21K, PAPER, RANDAUGMENT),
    Figure("coatnet_4_paper", 88.4, 512, IN21K, PAPER, RANDAUGMENT),
    Figure("coatnet_4_paper", 88.4, 384, IN21K, PAPER, LONG),
    Figure("coatnet_4_paper", 88.56, 512, IN21K, PAPER, LONG),
    Figure("coatnet_4_paper", 89.11, 512, JFT, PAPER),
    Figure("coatnet_5_paper", 89.77, 512, JFT, PAPER),
    Figure("coatnet_6_paper", 90.45, 512, JFT3B, PAPER, "reports 1.47B parameters"),
    Figure("coatnet_7_paper", 90.88, 512, JFT3B, PAPER),
    Figure("coatnet_2_paper_v1", 83.4, 224, IN1K, PAPER),
    Figure("coatnet_2_paper_v2", 84.0, 224, IN1K, PAPER),
    Figure("coatnet_3_paper_v1", 87.4, None, IN21K, PAPER),
    Figure("coatnet_0_exp8", 80.10, 160, IN1K, KECAM, "105 epochs"),
    Figure("coatnet_0_exp11", 80.16, 160, IN1K, KECAM, "105 epochs"),
    Figure("coatnet_0_exp15", 79.99, 160, IN1K, KECAM, "105 epochs"),
    Figure("coatnet_0_exp16", 80.19, 160, IN1K, KECAM, "105 epochs"),
)
