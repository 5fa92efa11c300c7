"""How fresh weights start, as each origin does it: rows of initialisers."""

from keras_coatnet.layers.initializers import GlorotUniform, Normal, NormalFanOut, UniformFanIn

# stem; convolution: C blocks; squeeze: squeeze and excitation; linear: qkv, perceptron and shortcut of T blocks;
# output: the attention's output projection; table: relative-position tables (None is zeros); classifier: the head.
RULES = {
    # keras_cv_attention_models: PyTorch's rule for convolutions, Keras' for squeeze and excitation and Dense layers.
    "uniform_fan_in": {
        "stem": UniformFanIn(),
        "convolution": UniformFanIn(),
        "squeeze": GlorotUniform(),
        "linear": UniformFanIn(),
        "output": GlorotUniform(),
        "table": None,
        "classifier": GlorotUniform(),
    },
    # google-research/maxvit: kernels and tables alike.
    "normal": {
        "stem": Normal(0.02),
        "convolution": Normal(0.02),
        "squeeze": Normal(0.02),
        "linear": Normal(0.02),
        "output": Normal(0.02),
        "table": Normal(0.02),
        "classifier": Normal(0.02),
    },
    # timm's "vit_eff".
    "normal_fan_out": {
        "stem": NormalFanOut(),
        "convolution": NormalFanOut(),
        "squeeze": NormalFanOut(),
        "linear": GlorotUniform(),
        "output": GlorotUniform(),
        "table": Normal(0.02, cut=2.0),
        "classifier": UniformFanIn(),
    },
    # timm's "normal", of coatnext.
    "normal_convnext": {
        "stem": Normal(0.02),
        "convolution": UniformFanIn(),
        "squeeze": Normal(0.02),
        "linear": Normal(0.02),
        "output": Normal(0.02),
        "table": Normal(0.02, cut=2.0),
        "classifier": UniformFanIn(),
    },
}
