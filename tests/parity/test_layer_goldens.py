"""Single layers with a peer's weights, fed with the peer's own inputs: what is wrong has a name."""

import pytest
from golden_cases import accepted, assert_close, loaded, run

ROWS = [(case, *row) for peer in ("timm", "kecam") for case in accepted(peer) for row in case.layers]


def id_of(row):
    case, path, *_ = row
    return f"{case.peer}-{case.name}-{path}"


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_layer_gives_the_peers_output(row):
    case, path, input_key, output_key = row
    answers = case.layer_answers
    layer = sublayer(loaded(case), path)
    assert_close(case.peer, run(layer, answers[input_key]), answers[output_key], path)


def sublayer(model, path):
    """The layer at "stage1_block1/squeeze_excite"."""
    name, *attributes = path.split("/")
    layer = model.get_layer(name)
    for attribute in attributes:
        layer = getattr(layer, attribute)
    return layer


def test_every_kind_of_layer_has_a_golden():
    kinds = {type(sublayer(loaded(case), path)).__name__ for case, path, *_ in ROWS}
    assert kinds == {
        "Stem",
        "MBConv",
        "SqueezeExcite",
        "ConvNeXtBlock",
        "TransformerBlock",
        "RelativeMultiHeadSelfAttention",
        "RelativePositionBiasTable",
        "LogOffsetPositionBias",
    }
