"""One run in several processes, one a machine as a rule: how they find each other, and what they agree on.

All of them run the same program on the same batches, of which each reads its part; the first one writes the files.
"""

import keras
import numpy as np


def start_processes(address=None, count=None, index=None):
    """Joins this process to the others of its run. JAX only, and before anything is computed or a model is built.

    Args:
        address: host:port of the first process; None is `KERAS_DISTRIBUTION_JOB_ADDRESSES`.
        count: processes; None is `KERAS_DISTRIBUTION_NUM_PROCESSES`.
        index: of this process, from 0; None is `KERAS_DISTRIBUTION_PROCESS_ID`.

    Where neither says so, JAX asks the cluster: on TPU pods, under Slurm and Open MPI nothing has to be given.

    Returns: (index, count).
    Raises: ValueError on another backend, or where nothing says who the others are.
    """
    backend = keras.backend.backend()
    if backend != "jax":
        raise ValueError(f"A run in several processes needs KERAS_BACKEND=jax; got {backend}.")
    import jax

    try:
        keras.distribution.initialize(address, count, index)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"The processes of this run cannot be joined ({reason}). Set KERAS_DISTRIBUTION_JOB_ADDRESSES to host:port "
            "of the first one, KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID."
        ) from None
    return jax.process_index(), jax.process_count()


def process_count():
    """Processes of this run."""
    if keras.backend.backend() != "jax":
        return 1
    import jax

    return jax.process_count()


def is_first_process():
    """Whether this process writes the files and tells how the run goes."""
    if keras.backend.backend() != "jax":
        return True
    import jax

    return jax.process_index() == 0


def any_process(flag):
    """Whether a flag is set in any process; all of them have to ask."""
    if process_count() == 1:
        return bool(flag)
    from jax.experimental import multihost_utils

    return bool(np.any(multihost_utils.process_allgather(np.array(bool(flag)))))
