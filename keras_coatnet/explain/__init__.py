"""What a model looks at: Grad-CAM, attention, positions and stage maps, as arrays and as figures."""

from keras_coatnet.explain.attention import attention_maps as attention_maps
from keras_coatnet.explain.attention import attention_rollout as attention_rollout
from keras_coatnet.explain.attention_figures import draw_attention as draw_attention
from keras_coatnet.explain.attention_figures import draw_rollout as draw_rollout
from keras_coatnet.explain.class_figure import draw_class_evidence as draw_class_evidence
from keras_coatnet.explain.grad_cam import GradCAM as GradCAM
from keras_coatnet.explain.grad_cam import grad_cam as grad_cam
from keras_coatnet.explain.map_figures import draw_position_biases as draw_position_biases
from keras_coatnet.explain.map_figures import draw_stage_maps as draw_stage_maps
from keras_coatnet.explain.overlay import on_picture as on_picture
from keras_coatnet.explain.positions import position_biases as position_biases
from keras_coatnet.explain.stages import stage_maps as stage_maps
