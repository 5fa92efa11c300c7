"""Every layer of the package; each registered, so that Keras loads a saved model without being told."""

from keras_coatnet.layers.affine import Affine as Affine
from keras_coatnet.layers.attention import RelativeMultiHeadSelfAttention as RelativeMultiHeadSelfAttention
from keras_coatnet.layers.class_token import ClassToken as ClassToken
from keras_coatnet.layers.class_token import TokenAggregation as TokenAggregation
from keras_coatnet.layers.constant_position import ConstantPositionBias as ConstantPositionBias
from keras_coatnet.layers.conv_position import ConvPositionEncoding as ConvPositionEncoding
from keras_coatnet.layers.conv_position import ConvRelativePosition as ConvRelativePosition
from keras_coatnet.layers.convnext import ConvNeXtBlock as ConvNeXtBlock
from keras_coatnet.layers.depthwise import DepthwiseConv2D as DepthwiseConv2D
from keras_coatnet.layers.drop_path import DropPath as DropPath
from keras_coatnet.layers.factorized_attention import FactorizedAttention as FactorizedAttention
from keras_coatnet.layers.layer_scale import LayerScale as LayerScale
from keras_coatnet.layers.mbconv import MBConv as MBConv
from keras_coatnet.layers.parallel_block import ParallelBlock as ParallelBlock
from keras_coatnet.layers.patch_embedding import PatchEmbedding as PatchEmbedding
from keras_coatnet.layers.perceptron import Perceptron as Perceptron
from keras_coatnet.layers.relative_position import LogOffsetPositionBias as LogOffsetPositionBias
from keras_coatnet.layers.relative_position import RelativePositionBiasTable as RelativePositionBiasTable
from keras_coatnet.layers.serial_block import SerialBlock as SerialBlock
from keras_coatnet.layers.squeeze_excite import SqueezeExcite as SqueezeExcite
from keras_coatnet.layers.stem import Stem as Stem
from keras_coatnet.layers.transformer import TransformerBlock as TransformerBlock
