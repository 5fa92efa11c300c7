"""Measure what a training step keeps for its gradients, with and without rematerialisation.

    python scripts/measure_rematerialization.py coatnet_0_rw --image-size 224 --batch-size 8 --backends jax torch

"kept" is all that waits for the backward pass, weights included: on JAX the residuals of `jax.vjp`, for which nothing
is computed; on PyTorch the storages of saved tensors. `--plan` compiles the step on JAX too, and tells what XLA plans
for temporary buffers. Each row is a process of its own. benchmark_rematerialization.py measures peak and time.
"""

import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))


def main():
    options = parse()
    if options.child:
        measure(options)
        return
    print(f"{options.variant}, {options.image_size} pixels, batches of {options.batch_size}")
    for backend in options.backends:
        for form in ("plain", "rematerialised"):
            command = [sys.executable, __file__, *sys.argv[1:], "--child", form]
            subprocess.run(
                command, check=True, env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
            )


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", default="coatnet_0_rw")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--backends", nargs="+", default=["jax", "torch"], choices=["jax", "torch"])
    parser.add_argument("--plan", action="store_true", help="on JAX, compile the step and tell XLA's plan of memory")
    parser.add_argument("--child", choices=["plain", "rematerialised"], help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(options):
    import keras
    import numpy as np

    import keras_coatnet as kc
    from keras_coatnet.layers.rematerialization import rematerialize

    side = options.image_size
    model = kc.build(options.variant, input_shape=(side, side, 3), classifier_activation=None)
    if options.child == "rematerialised":
        rematerialize(model)
    images = np.random.default_rng(0).random((options.batch_size, side, side, 3), "float32")
    labels = np.arange(options.batch_size) % model.output_shape[-1]
    if keras.backend.backend() == "torch":
        shown = f"{kept_by_torch(model, images, labels) / 1e6:10.0f} MB kept"
    else:
        kept, planned = kept_by_jax(model, images, labels, options.plan)
        shown = f"{kept / 1e6:10.0f} MB kept" + (f"{planned / 1e6:10.0f} MB planned by XLA" if options.plan else "")
    print(f"{keras.backend.backend():8}{options.child:16}{shown}", flush=True)


def loss_of(logits, labels):
    import keras

    return keras.ops.mean(keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def kept_by_jax(model, images, labels, plan):
    """(bytes kept, bytes of temporary buffers in XLA's plan or None)"""
    import jax

    groups = (model.trainable_variables, model.non_trainable_variables)
    trainable, others = ([variable.value for variable in group] for group in groups)

    def loss(trainable, others, x):
        logits, others = model.stateless_call(trainable, others, x, training=True)
        return loss_of(logits, labels), others

    def kept(trainable, others, x):
        return jax.vjp(lambda trainable: loss(trainable, others, x)[0], trainable)[1]

    shapes = jax.tree_util.tree_leaves(jax.eval_shape(kept, trainable, others, images))
    total = sum(leaf.size * leaf.dtype.itemsize for leaf in shapes)
    if not plan:
        return total, None
    step = jax.jit(jax.value_and_grad(loss, has_aux=True)).lower(trainable, others, images).compile()
    return total, step.memory_analysis().temp_size_in_bytes


def kept_by_torch(model, images, labels):
    """Bytes of the storages that PyTorch keeps."""
    import keras
    import torch

    storages = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss_of(model(keras.ops.convert_to_tensor(images), training=True), keras.ops.convert_to_tensor(labels))
    return sum(storages.values())


if __name__ == "__main__":
    main()
