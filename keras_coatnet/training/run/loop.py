"""The training loop: Keras' own `fit`, broken off and gone on with anywhere."""

import keras
import numpy as np

from keras_coatnet.training.optimization.averaging import AveragedEvaluation, raw_weights_kept, use_averages
from keras_coatnet.training.run.checkpoints import BadCheckpoint, RunState, load_state
from keras_coatnet.training.run.keeper import Keeper
from keras_coatnet.training.run.late_logs import LateCallbacks
from keras_coatnet.training.scale.processes import any_process
from keras_coatnet.training.scale.values import even_out

NORM_MEMORY_FRACTION = 0.05


def train(
    model,
    recipe,
    feed,
    held_out=None,
    *,
    epochs=None,
    until=None,
    folder=None,
    resume_folder=None,
    save_every=None,
    settings=None,
    callbacks=(),
    stop=None,
    engine=None,
):
    """Trains a model in place, from where a checkpoint says if there is one.

    Whatever a run is broken off by, it goes on to the same weights, on one device to the last bit: weights, averages,
    optimizer, place in the data, random states and history are saved together. What callbacks remember is not.
    On another number of devices it goes on close to that, not equal, if the batches stay of one size.

    Args:
        model: built `keras.Model`; ends with the last weights, the averaged ones where the recipe averages.
        recipe: `Recipe`.
        feed: `Feed` of training batches.
        held_out: `Feed` of evaluation batches, evaluated after each epoch with the averaged weights if there are any.
        epochs: of the whole run; None is the recipe's.
        until: epoch to stop before, for a run in several parts; None is the last one.
        folder: gets history.csv, history.jsonl and, if tensorboard is installed, its events.
        resume_folder: gets the checkpoint, and is looked into for one; None keeps none.
        save_every: batches between checkpoints; None is once an epoch.
        settings: of the run, kept in the checkpoint; JSON must be able to hold them.
        callbacks: `keras.callbacks.Callback`s of the user's; `logs` hold loss, accuracy, top5, and val_ before each.
        stop: anything with `requested`, looked at after every batch.
        engine: what is fitted in place of the model, such as a `Distiller` around it.

    Returns: list of rows, a dictionary an epoch.
    Raises:
        Stopped: `stop` was requested; the run is saved.
        NotFinite: the loss is not a number; the last good checkpoint is kept.
        BadCheckpoint: the one in `resume_folder` is damaged or another model's.
        ValueError: see `Recipe.compile_args`.
    """
    epochs = epochs or recipe.epochs
    engine = prepare(model, recipe, feed, epochs, engine)
    state = None if resume_folder is None else load_shared(resume_folder, engine, model)
    state = state or RunState(settings=settings)
    run_epochs(
        model,
        engine,
        feed,
        held_out,
        state,
        until or epochs,
        Keeper(model, state, feed.steps, feed.batch_size, folder, resume_folder, save_every, stop),
        callbacks,
    )
    use_averages(engine.optimizer)
    even_out(engine)
    return state.history


def load_shared(folder, engine, model):
    """`load_state`, and a BadCheckpoint where other processes find something else."""
    state = load_state(folder, engine, model)
    if any_process(state is not None) and any_process(state is None):
        raise BadCheckpoint(f"{folder}: only some processes find a checkpoint in it; it must be a disk that all share")
    return state


def prepare(model, recipe, feed, epochs, engine=None):
    """Compiles what is fitted and makes all its variables, so that a checkpoint can be loaded into them.

    Returns: the engine; the model itself where there is no other.
    """
    engine = engine or model
    shorten_norm_memory(model, epochs * feed.steps)
    engine.compile(**recipe.compile_args(model, feed.steps, epochs))
    if not engine.optimizer.built:
        engine.optimizer.build(engine.trainable_variables)
    # Metrics make their variables when they first see a batch, of which only the shapes matter.
    engine._symbolic_build(data_batch=tuple(np.broadcast_to(np.float32(0), shape) for shape in feed.maker.shapes))
    return engine


def run_epochs(model, engine, feed, held_out, state, until, keeper, callbacks):
    """Fits from the state's position to before epoch `until`; the raw weights stay in the model."""
    listed = LateCallbacks(
        [keeper, AveragedEvaluation(), *callbacks], add_history=True, model=engine, epochs=until, steps=feed.steps
    )
    engine.stop_training = False
    with raw_weights_kept(engine.optimizer):
        while state.position.epoch < until and not engine.stop_training:
            if state.position.step == feed.steps:
                finish_epoch(engine, held_out, state, listed)
                continue
            engine.fit(
                **feed.fit_arguments(state.position),
                # From the middle of an epoch on the steps of `fit` are those of the rest of it.
                epochs=state.position.epoch + 1 if state.position.step else until,
                validation_data=None if held_out is None else held_out.dataset(),
                callbacks=listed,
                verbose=0,
            )


def finish_epoch(engine, held_out, state, callbacks):
    """Evaluates an epoch that was broken off behind its last batch."""
    epoch, logs = state.position.epoch, dict(state.logs)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(epoch)
    if held_out is not None:
        found = engine.evaluate(held_out.dataset(), callbacks=callbacks, return_dict=True, verbose=0)
        logs.update({f"val_{name}": value for name, value in found.items()})
    callbacks.on_epoch_end(epoch, logs)
    callbacks.on_train_end()


def shorten_norm_memory(model, steps):
    """Lets batch norms' moving statistics forget within a twentieth of a run; a shorter memory of their own stays.

    A momentum of 0.99 still holds a tenth of its initial values after 230 steps. In a run of a few hundred steps the
    model would learn well and answer by chance: its statistics, compounded over the layers, are those of no data.

    Args:
        model: `keras.Model`; momenta are changed in place.
        steps: batches of the whole run.
    """
    longest = max(0.5, 1 - 1 / (NORM_MEMORY_FRACTION * steps))
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, longest)
