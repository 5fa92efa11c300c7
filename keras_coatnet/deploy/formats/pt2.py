"""PyTorch's `.pt2`: a program of `torch.export`, open in its batch, loaded without Keras."""

import io
import json

import numpy as np

METADATA_FILE = "keras_coatnet.json"


def write(model, path, request):
    """Writes a `.pt2` file.

    Args:
        model: Keras model on PyTorch.
        path: to write to.
        request: `Request`.
    """
    import torch

    model.eval()
    # An open batch is traced at 2: a batch of 1 would be taken for a constant.
    sample = torch.zeros((request.batch_size or 2, *model.input_shape[1:]), dtype=getattr(torch, model.inputs[0].dtype))
    # Keras' `forward` takes its inputs as *args.
    shapes = None if request.batch_size else (({0: torch.export.Dim("batch")},),)
    with torch.no_grad():
        program = torch.export.export(_without_parameters(model), (sample,), dynamic_shapes=shapes)
    # In memory first: where a disk is full, PyTorch's own writer of files ends the whole process.
    stream = io.BytesIO()
    torch.export.save(program, stream, extra_files={METADATA_FILE: json.dumps(request.metadata)})
    with open(path, "wb") as file:
        file.write(stream.getbuffer())


def _without_parameters(model):
    """The model behind a module that owns nothing.

    Keras' layers read their variables past PyTorch's parameters, which the exporter would write a second time.
    """
    import torch

    class Predictor(torch.nn.Module):
        def forward(self, *images):
            return model(*images, training=False)

    return Predictor()


def load(path):
    """A function from a batch to the outputs, run by PyTorch."""
    return Runner(path)


def read_metadata(path):
    """What export said about the model; None for a file of others."""
    import torch

    files = {METADATA_FILE: ""}
    torch.export.load(path, extra_files=files)
    return json.loads(files[METADATA_FILE]) if files[METADATA_FILE] else None


class Runner:
    """Runs a `.pt2` file."""

    def __init__(self, path):
        import torch

        program = torch.export.load(path)
        (specification,) = [spec for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
        (node,) = [node for node in program.graph.nodes if node.name == specification.arg.name]
        value = node.meta["val"]
        self.input_shape = tuple(side if isinstance(side, int) else None for side in value.shape)
        self.input_dtype = str(value.dtype).removeprefix("torch.")
        self._module = program.module()

    def __call__(self, batch):
        """Outputs of a batch, as a NumPy array."""
        import torch

        with torch.no_grad():
            return self._module(torch.from_numpy(np.ascontiguousarray(batch))).numpy()
