"""The options of `keras-coatnet train` for several devices and processes."""

import contextlib
import os

from keras_coatnet.cli.arguments import positive_integer
from keras_coatnet.training.data.order import TrainingOrder
from keras_coatnet.training.scale.devices import current_parts, make_distribution
from keras_coatnet.training.scale.processes import is_first_process, start_processes


def add_device_options(parser):
    """Adds them to the parser of the command."""
    parser.add_argument(
        "--devices",
        type=device_count,
        metavar="N|all",
        help="accelerators to cut batches over, on JAX and TensorFlow (default: one)",
    )
    parser.add_argument(
        "--model-parallel",
        type=positive_integer,
        metavar="N",
        help="JAX: so many devices share a copy of the model (default: 1); all devices unless --devices says otherwise",
    )
    parser.add_argument(
        "--multi-process",
        action="store_true",
        help="JAX: this is one of the processes of a run, which KERAS_DISTRIBUTION_JOB_ADDRESSES, "
        "KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID tell of; --data and --out are on a disk "
        "that all share",
    )


def device_count(text):
    """A number, or "all"."""
    return text if text == "all" else positive_integer(text)


@contextlib.contextmanager
def on_devices(options):
    """Inside, models are built and trained on the devices that the options name.

    Raises: ValueError for devices or processes that there are not.
    """
    with contextlib.ExitStack() as stack:
        if options.multi_process:
            start_processes()
        if not is_first_process():
            # The first one tells how it goes; errors go elsewhere.
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        if options.devices or options.model_parallel or options.multi_process:
            devices = None if options.devices in (None, "all") else options.devices
            stack.enter_context(make_distribution(devices, options.model_parallel or 1).scope())
        yield


def smaller_batches(recipe, count):
    """{"batch": pictures} where the devices do not divide the recipe's batches, else {}: what another number of devices
    would not go on with.

    Args:
        recipe: `Recipe`.
        count: pictures to train on.
    """
    wanted = recipe.batch_size // recipe.accumulation
    batch = TrainingOrder(count, wanted, parts=current_parts()).batch_size
    return {} if batch == min(wanted, count) else {"batch": batch}
