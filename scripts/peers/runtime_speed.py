"""ONNX files in onnxruntime and OpenVINO as something to time: see `keras_coatnet/benchmark/worker_process.py`."""

import numpy as np

SHOWN_OUTPUTS = 2


def open_file(mark, path, *, runtime, sides, images, batch_size, threads):
    """A file whose pictures are (N, 3, H, W), or (N, H, W, 3).

    Args:
        mark: function of a step's name.
        path: of the file.
        runtime: "onnxruntime" or "openvino".
        sides: (H, W) of the pictures.
        images: path of a `.npy` file of pictures, channels last.
        batch_size: pictures of a call.
        threads: to use; None is the runtime's own choice.

    Returns: what `worker_process` wants of a maker.
    """
    first, run = (open_onnxruntime if runtime == "onnxruntime" else open_openvino)(mark, path, threads)
    mark("build")
    pictures = np.load(images)
    pictures = np.resize(pictures, (batch_size, *pictures.shape[1:]))
    batch = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2) if first else pictures)
    return {
        "calls": {"run": lambda: run(batch)},
        "outputs": lambda found: np.asarray(found)[:SHOWN_OUTPUTS],
        "about": {"runtime": runtime, "image_size": sides, "images_a_call": batch_size},
    }


def open_onnxruntime(mark, path, threads):
    """(whether channels come first, function of a batch)."""
    import onnxruntime

    mark("import")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads or 0, 3
    # Threads that spin while others' processes are measured would take their cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    return given.shape[1] == 3, lambda x: session.run(None, {given.name: x})[0]


def open_openvino(mark, path, threads):
    """(whether channels come first, function of a batch)."""
    import openvino

    mark("import")
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    model = openvino.Core().compile_model(path, "CPU", settings)
    return model.input(0).partial_shape[1].get_length() == 3, lambda x: model(x)[0]
