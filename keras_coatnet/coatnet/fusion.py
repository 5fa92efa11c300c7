"""A model folded: its row, and the steps that turn the weights of the one into those of the other."""

from keras_coatnet.coatnet.norm_folds import block_norms, head_norm, stem_norms
from keras_coatnet.coatnet.plan import plan_blocks
from keras_coatnet.coatnet.sizes import map_sizes
from keras_coatnet.weights.folding import EvaluatePositions, FoldLayerScale, FoldQueryScale, SpreadPositions

# A constant bias saves a gather a block and costs a number a pair of pixels: worth it up to this share of the file.
LARGEST_CONSTANT_SHARE = 0.1


def fold_spec(spec, sides, parameters):
    """The row of the folded model.

    Args:
        spec: of the model.
        sides: (height, width) of its images; open ones are None.
        parameters: numbers that the model holds.
    """
    if None in sides or spec.relative_position in (None, "constant"):
        return spec.fused()
    constant, table = count_positions(spec, sides)
    if not constant:
        return spec.fused()
    fits = constant - table < LARGEST_CONSTANT_SHARE * parameters
    return spec.fused("constant" if fits else "table")


def count_positions(spec, sides):
    """(numbers of a constant bias in all blocks, those of tables) for images of these sides."""
    grids = map_sizes(spec, sides)
    attending = [(block.num_heads, *grids[block.name]) for block in plan_blocks(spec) if block.kind == "transformer"]
    constant = sum(heads * (height * width) ** 2 for heads, height, width in attending)
    table = sum(heads * (2 * height - 1) * (2 * width - 1) for heads, height, width in attending)
    return constant, table


def norm_steps(spec, include_top):
    """The steps for all norms of a model, from stem to head."""
    steps = [*stem_norms(spec)]
    for block in plan_blocks(spec):
        steps += block_norms(spec, block)
    head = head_norm(spec, include_top)
    return steps if head is None else [*steps, head]


def fold_steps(spec, folded_spec, include_top, sides):
    """Everything between the weights of a model and those of its folded twin, in order.

    Args:
        spec, folded_spec: of the two.
        include_top: whether the models have a classifier.
        sides: (height, width) of their images; open ones are None.

    Returns: list of steps of `weights.folding`.
    """
    steps = norm_steps(spec, include_top)
    grids = None if None in sides else map_sizes(spec, sides)
    for block in plan_blocks(spec):
        steps += _scale_steps(spec, block)
        if block.kind == "transformer":
            steps.append(FoldQueryScale(f"{block.name}/attention/qkv", block.head_dim))
            steps += _position_steps(spec, folded_spec, block, grids[block.name]) if grids else []
    return steps


def _scale_steps(spec, block):
    name = block.name
    if block.kind == "convnext" and spec.convolution_layer_scale is not None:
        return [FoldLayerScale(f"{name}/layer_scale", f"{name}/mlp_projection")]
    if block.kind == "transformer" and spec.transformer_layer_scale is not None:
        return [
            FoldLayerScale(f"{name}/attention_scale", f"{name}/attention/projection"),
            FoldLayerScale(f"{name}/mlp_scale", f"{name}/mlp_projection"),
        ]
    return []


def _position_steps(spec, folded_spec, block, grid):
    bias = f"{block.name}/attention/relative_position_bias"
    steps = []
    if spec.relative_position == "mlp" and folded_spec.relative_position in ("table", "constant"):
        steps.append(EvaluatePositions(bias, grid))
    if spec.relative_position in ("table", "mlp") and folded_spec.relative_position == "constant":
        steps.append(SpreadPositions(bias, grid))
    return steps
