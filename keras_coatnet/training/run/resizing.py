"""A run whose pictures grow from epoch to epoch: the model, its averages and its optimizer go on at another size."""

from keras_coatnet.registry import resize_model
from keras_coatnet.training.optimization.averaging import averaged_pairs, use_averages
from keras_coatnet.training.run.checkpoints import RunState, load_state, read_about
from keras_coatnet.training.run.keeper import Keeper
from keras_coatnet.training.run.loop import prepare, run_epochs
from keras_coatnet.training.scale.values import whole_value

TABLE = "relative_position_bias_table"


def train_growing(
    model,
    recipe,
    make_feeds,
    sizes,
    *,
    folder=None,
    resume_folder=None,
    save_every=None,
    settings=None,
    callbacks=(),
    stop=None,
):
    """`train` with pictures of another size from certain epochs on; resumes like it.

    Args:
        model: of this package, as its own function built it, of any size.
        recipe: `Recipe`.
        make_feeds: (height, width) -> (`Feed` of training batches, `Feed` of evaluation batches or None), with equally
            many training batches for every size.
        sizes: dictionary from epochs, from 0 on, to the (height, width) that holds from there.
        folder, resume_folder, save_every, settings, callbacks, stop: see `train`.

    Returns: (model of the last size, list of rows).
    Raises: ValueError where epoch 0 has no size, or an epoch is not of this run; what `train` raises.
    """
    starts = sorted(sizes)
    if not starts or starts[0] != 0 or starts[-1] >= recipe.epochs:
        raise ValueError(f"sizes must begin with epoch 0 and end before epoch {recipe.epochs}; got {starts}.")
    about = None if resume_folder is None else read_about(resume_folder)
    reached = 0 if about is None else about["state"]["position"][0]
    former = state = None
    for start, end in zip(starts, [*starts[1:], recipe.epochs], strict=True):
        if end <= reached:
            continue
        present = resize_model(model if former is None else former, (*sizes[start], 3))
        feed, held_out = make_feeds(sizes[start])
        prepare(present, recipe, feed, recipe.epochs)
        if former is not None:
            carry_over(former, present)
        else:
            state = (about and load_state(resume_folder, present, present)) or RunState(settings=settings)
        keeper = Keeper(present, state, feed.steps, feed.batch_size, folder, resume_folder, save_every, stop)
        run_epochs(present, present, feed, held_out, state, end, keeper, callbacks)
        former = present
    use_averages(former.optimizer)
    return former, state.history


def carry_over(former, present):
    """Gives a resized and compiled model the random states and what the optimizer of the former one knew.

    What an optimizer keeps of a relative-position table has the table's shape: it starts anew at zero, but for the
    average, which starts at the resized table.
    """
    for old, new in zip(_random_states(former), _random_states(present), strict=True):
        new.assign(whole_value(old))
    for old, new in zip(former.optimizer.variables, present.optimizer.variables, strict=True):
        if tuple(old.shape) == tuple(new.shape):
            new.assign(whole_value(old))
    averages_of_tables = [pair for pair in averaged_pairs(present.optimizer) if pair[0].name == TABLE]
    for table, average in averages_of_tables:
        average.assign(whole_value(table))


def _random_states(model):
    """Those of the generators of dropout and drop path."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]
