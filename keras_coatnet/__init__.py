"""CoAtNet and CoaT for Keras 3, on TensorFlow, JAX and PyTorch."""

try:
    import keras as _keras
except ModuleNotFoundError as error:
    if error.name not in ("tensorflow", "jax", "torch"):
        raise
    raise ModuleNotFoundError(
        f"Keras' backend {error.name} is not installed. Install one of three, pip install 'keras-coatnet[jax]', "
        "'keras-coatnet[tensorflow]' or 'keras-coatnet[torch]', and name it in the environment variable KERAS_BACKEND.",
        name=error.name,
    ) from None

from keras_coatnet import layers as layers
from keras_coatnet.coat.model import CoaT as CoaT
from keras_coatnet.coat.model import CoaTLiteMedium as CoaTLiteMedium
from keras_coatnet.coat.model import CoaTLiteMini as CoaTLiteMini
from keras_coatnet.coat.model import CoaTLiteSmall as CoaTLiteSmall
from keras_coatnet.coat.model import CoaTLiteTiny as CoaTLiteTiny
from keras_coatnet.coat.model import CoaTMini as CoaTMini
from keras_coatnet.coat.model import CoaTSmall as CoaTSmall
from keras_coatnet.coat.model import CoaTTiny as CoaTTiny
from keras_coatnet.coat.spec import CoaTSpec as CoaTSpec
from keras_coatnet.coatnet.model import CoAtNet as CoAtNet
from keras_coatnet.coatnet.model import CoAtNet0 as CoAtNet0
from keras_coatnet.coatnet.model import CoAtNet1 as CoAtNet1
from keras_coatnet.coatnet.model import CoAtNet2 as CoAtNet2
from keras_coatnet.coatnet.model import CoAtNet3 as CoAtNet3
from keras_coatnet.coatnet.model import CoAtNet4 as CoAtNet4
from keras_coatnet.coatnet.model import CoAtNet5 as CoAtNet5
from keras_coatnet.coatnet.model import CoAtNet6 as CoAtNet6
from keras_coatnet.coatnet.model import CoAtNet7 as CoAtNet7
from keras_coatnet.coatnet.model import CoAtNetT as CoAtNetT
from keras_coatnet.coatnet.spec import CoAtNetSpec as CoAtNetSpec
from keras_coatnet.coatnet.spec import coatnet_spec as coatnet_spec
from keras_coatnet.deploy.export import export as export
from keras_coatnet.deploy.fuse import fuse as fuse
from keras_coatnet.prediction.answers import decode_predictions as decode_predictions
from keras_coatnet.prediction.inputs import preprocess_input as preprocess_input
from keras_coatnet.prediction.predict import predict as predict
from keras_coatnet.prediction.predictor import Predictor as Predictor
from keras_coatnet.registry import build as build
from keras_coatnet.registry import count as count
from keras_coatnet.registry import get_spec as get_spec
from keras_coatnet.registry import list_variants as list_variants
from keras_coatnet.registry import narrow as narrow
from keras_coatnet.registry import resize_model as resize_model
from keras_coatnet.registry import stage_outputs as stage_outputs
from keras_coatnet.training.scale.layouts import layout_map as layout_map
from keras_coatnet.version import __version__ as __version__
from keras_coatnet.weights.checkpoint import load_checkpoint as load_checkpoint
from keras_coatnet.weights.checkpoint import save_checkpoint as save_checkpoint
from keras_coatnet.weights.manifest import list_pretrained as list_pretrained
