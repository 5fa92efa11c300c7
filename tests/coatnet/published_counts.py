"""Parameters and multiply-adds that others publish for the variants, and what follows from them."""

# keras_cv_attention_models: variant, then at 160, 224, 384 and 512 pixels: all parameters, batch norm statistics
# included, and 10^9 multiply-adds with the stride in the depthwise convolution and in the 1x1 expansion.
DEFAULT = [
    (
        "coatnet_t",
        (14_733_820, 14_753_532, 14_833_052, 14_927_772),
        (1.42, 2.83, 8.97, 17.31),
        (1.32, 2.64, 8.40, 16.30),
    ),
    (
        "coatnet_0",
        (23_268_178, 23_291_218, 23_384_098, 23_494_690),
        (2.08, 4.14, 12.94, 24.66),
        (1.95, 3.90, 12.23, 23.40),
    ),
    (
        "coatnet_1",
        (40_396_078, 40_458_862, 40_711_582, 41_012_254),
        (4.10, 8.23, 26.49, 51.92),
        (3.98, 7.99, 25.79, 50.66),
    ),
    (
        "coatnet_2",
        (71_560_400, 71_644_112, 71_981_072, 72_381_968),
        (8.04, 16.01, 50.13, 95.55),
        (7.64, 15.24, 47.86, 91.52),
    ),
    (
        "coatnet_3",
        (160_055_620, 160_181_188, 160_686_628, 161_287_972),
        (17.93, 35.54, 109.05, 203.52),
        (17.05, 33.81, 103.96, 194.46),
    ),
    (
        "coatnet_4",
        (268_333_396, 268_582_612, 269_585_332, 270_778_036),
        (30.93, 61.41, 189.76, 356.87),
        (30.04, 59.67, 184.67, 347.81),
    ),
    (
        "coatnet_5",
        (674_325_392, 674_531_632, 675_361_392, 676_348_336),
        (72.02, 142.48, 434.15, 804.19),
        (71.00, 140.48, 428.26, 793.72),
    ),
    (
        "coatnet_6",
        (1_333_878_422, 1_334_064_150, 1_334_811_270, 1_335_699_846),
        (131.51, 260.16, 792.55, 1467.65),
        (130.45, 258.08, 786.43, 1456.78),
    ),
    (
        "coatnet_7",
        (2_410_805_976, 2_411_053_848, 2_412_050_968, 2_413_236_888),
        (231.69, 457.30, 1381.20, 2533.73),
        (230.35, 454.68, 1373.50, 2520.04),
    ),
]

# The paper's models as read: variant, size, trainable, batch norm statistics, 10^9 multiply-adds with the stride in the
# 1x1 expansion and in the depthwise convolution.
PAPER = [
    ("coatnet_0_paper", 224, 25_036_820, 13_696, 4.14, 4.55),
    ("coatnet_0_paper", 384, 25_142_900, 13_696, 13.05, 14.24),
    ("coatnet_0_paper", 512, 25_269_236, 13_696, 25.05, 27.16),
    ("coatnet_1_paper", 224, 42_225_776, 24_064, 8.24, 8.64),
    ("coatnet_1_paper", 384, 42_491_696, 24_064, 26.60, 27.79),
    ("coatnet_1_paper", 512, 42_808_112, 24_064, 52.32, 54.43),
    ("coatnet_2_paper", 224, 74_684_744, 32_256, 15.50, 16.43),
    ("coatnet_2_paper", 384, 75_039_304, 32_256, 48.75, 51.46),
    ("coatnet_2_paper", 512, 75_461_192, 32_256, 93.35, 98.18),
    ("coatnet_3_paper", 224, 166_966_264, 48_384, 34.37, 36.45),
    ("coatnet_3_paper", 384, 167_498_104, 48_384, 105.79, 111.91),
    ("coatnet_3_paper", 512, 168_130_936, 48_384, 198.11, 208.98),
    ("coatnet_4_paper", 224, 275_425_288, 89_856, 60.24, 62.32),
    ("coatnet_4_paper", 384, 276_454_408, 89_856, 186.50, 192.62),
    ("coatnet_4_paper", 512, 277_678_600, 89_856, 351.46, 362.33),
    ("coatnet_5_paper", 224, 687_052_952, 119_552, 142.18, 145.26),
    ("coatnet_5_paper", 512, 688_918_040, 119_552, 803.98, 820.09),
    ("coatnet_6_paper", 224, 1_348_435_040, 144_384, 259.48, 262.26),
    ("coatnet_6_paper", 512, 1_350_093_344, 144_384, 1465.42, 1479.91),
    ("coatnet_6_paper_wide", 224, 1_471_125_232, 144_384, 265.20, 267.98),
    ("coatnet_6_paper_wide", 512, 1_472_796_208, 144_384, 1495.49, 1509.99),
    ("coatnet_7_paper", 224, 2_441_972_728, 192_256, 457.87, 462.19),
    ("coatnet_7_paper", 512, 2_444_188_024, 192_256, 2538.53, 2561.08),
]

# The paper's layouts and stage splits at 224: variant, trainable, 10^9 multiply-adds rounded to `digits`.
STUDIES = [
    ("coatnet_0_paper_cccc", 20_942_312, 3.17, 2),
    ("coatnet_0_paper_ccct", 23_533_592, 3.42, 2),
    ("coatnet_0_paper_cttt", 25_304_246, 5.19, 2),
    ("coatnet_2_paper_v1", 84_658_824, 16.5, 1),
    ("coatnet_2_paper_v2", 69_697_704, 15.0, 1),
    ("coatnet_3_paper_v1", 189_398_488, 36.4, 1),
]

# Small ones at 224 with 200 classes: trainable.
SMALL_DATA = {
    "coatnet_tiny200_cccc": 1_797_148,
    "coatnet_tiny200_ccct": 2_150_056,
    "coatnet_tiny200_cctt": 2_237_710,
    "coatnet_tiny200_cttt": 2_265_385,
    "coatnet_tiny200_ccct_1131": 2_910_088,
}

# timm 1.0: variant, size, trainable with 1000 and with 11821 classes, batch norm statistics, 10^9 multiply-adds.
TIMM = [
    ("coatnet_pico_rw", 224, 10_851_364, 16_402_537, 8_128, 2.03),
    ("coatnet_nano_rw", 224, 15_141_244, 20_692_417, 11_584, 2.38),
    ("coatnet_0_rw", 224, 27_435_562, 35_756_911, 11_584, 4.41),
    ("coatnet_1_rw", 224, 41_721_502, 50_042_851, 21_952, 7.99),
    ("coatnet_2_rw", 224, 73_868_400, 84_959_925, 30_080, 15.02),
    ("coatnet_3_rw", 224, 165_173_428, 181_805_305, 45_120, 33.32),
    ("coatnet_bn_0_rw", 224, 27_435_562, 35_756_911, 28_864, 4.65),
    ("coatnet_rmlp_nano_rw", 224, 15_145_116, 20_696_289, 11_584, 2.59),
    ("coatnet_rmlp_0_rw", 224, 27_446_074, 35_767_423, 11_584, 4.68),
    ("coatnet_rmlp_1_rw", 224, 41_691_982, 50_013_331, 21_952, 7.81),
    ("coatnet_rmlp_1_rw2", 224, 41_724_622, 50_045_971, 21_952, 8.07),
    ("coatnet_rmlp_2_rw", 224, 73_881_264, 84_972_789, 30_080, 15.11),
    ("coatnet_rmlp_2_rw", 384, 73_881_264, 84_972_789, 30_080, 47.49),
    ("coatnet_rmlp_3_rw", 224, 165_152_788, 181_784_665, 45_120, 33.46),
    ("coatnet_nano_cc", 224, 13_757_328, 19_308_501, 18_496, 2.21),
    ("coatnext_nano_rw", 224, 14_701_244, 20_252_417, 0, 2.46),
    ("coatnet_0_timm", 224, 25_036_820, 33_358_169, 13_696, 4.55),
    ("coatnet_1_timm", 224, 42_225_776, 50_547_125, 24_064, 8.64),
    ("coatnet_2_timm", 224, 74_684_744, 85_776_269, 32_256, 16.43),
    ("coatnet_3_timm", 224, 166_966_264, 183_598_141, 48_384, 36.45),
    ("coatnet_4_timm", 224, 275_425_288, 292_057_165, 89_856, 62.32),
    ("coatnet_5_timm", 224, 687_472_008, 709_644_237, 119_552, 145.26),
    ("test_coatnet", 160, 575_480, 1_971_389, 1_184, 0.08),
]

# Variants without a published count: their trainable weights follow from those of another one.
# Relative bias: heads * (2H-1)(2W-1) a block in S3 and S4; heads of 64 halve it.
TABLES_OF_0 = 5 * 12 * 27 * 27 + 2 * 24 * 13 * 13
# Batch norm statistics: two a channel; MBConv norms its input and twice four times as many channels.
STATISTICS_OF_0 = 2 * 64 + 2 * 9 * (64 + 96 + 96 + 192 + 192)
DERIVED = {
    "coatnet_0_paper_nobias": 25_036_820 - TABLES_OF_0,
    "coatnet_0_paper_head64": 25_036_820 - TABLES_OF_0 // 2,
    "coatnet_0_paper_post": 25_036_820,
    "coatnet_0_paper_ln": 25_036_820,
    "coatnet_0_exp8": 23_291_218 - STATISTICS_OF_0,
    "coatnet_0_exp11": 23_291_218 - STATISTICS_OF_0,
    "coatnet_0_exp15": 23_291_218 - STATISTICS_OF_0,
    "coatnet_0_exp16": 23_291_218 - STATISTICS_OF_0,
    # By hand: stem, one C and two, one T of 192 and two more, one of 384, norm, classifier.
    "coatnet_tiny64": 864 + 24_364 + 84_024 + 97_848 + 409_350 + 2 * 446_214 + 1_627_596 + 768 + 77_000,
}
WITHIN_FIVE_PERCENT = {"vit_rel_0_paper": 25_040_000, "vit_rel_tiny200": 2_400_000}
