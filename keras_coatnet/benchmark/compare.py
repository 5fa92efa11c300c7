"""Several jobs beside each other: a row each, with what it costs to start, to run and to hold."""

import keras

from keras_coatnet.benchmark.measure import SECONDS_A_MEASUREMENT, Timing, measure_in_turn
from keras_coatnet.benchmark.workers import Job, workers_at

# FLOP of a training step over those of an answer: the backward pass makes two products for each.
PASSES = {"inference": 1, "predict_on_batch": 1}
TRAINING_PASSES = 3


def subject_job(name, backend=None, environment=None, cores=None, label=None, **keywords):
    """The `Job` of `subjects.open_subject`.

    Args:
        name: see there; keywords likewise.
        backend: of Keras; None is the one in use.
        environment: variables that differ from this process's.
        cores: see `Job`.
        label: to show; None is the name.
    """
    return Job(
        label or name,
        "keras_coatnet.benchmark.subjects:open_subject",
        {"name": name, **keywords},
        environment={**backend_environment(backend or keras.backend.backend()), **(environment or {})},
        cores=cores,
    )


def ceiling_job(backend=None, dtype="float32", cores=None, environment=None):
    """The `Job` of the machine's limits, measured in the same rounds."""
    return Job(
        "limits",
        "keras_coatnet.benchmark.machine:open_ceiling",
        {"dtype": dtype},
        environment={**backend_environment(backend or keras.backend.backend()), **(environment or {})},
        cores=cores,
    )


def backend_environment(backend):
    """Variables of a process that computes on a backend, beside others on the same GPU."""
    return {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def thread_environment(threads):
    """Variables that give every framework so many threads; {} for None, their own choice."""
    if threads is None:
        return {}
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return dict.fromkeys(names, str(threads))


def compare(jobs, *, ceiling, mode, batch_size, rounds=5, seconds=SECONDS_A_MEASUREMENT, check=None, advance=None):
    """Time jobs in processes that live side by side.

    Args:
        jobs: of `Job`; the first is the one that the others' speeds are told against.
        ceiling: `Job` of the machine's limits, which are measured in the same rounds.
        mode: of all of them, see `subjects.MODES`.
        batch_size: of all of them.
        rounds, seconds: see `measure_in_turn`.
        check: function of the list of `Worker`s, called before anything is timed; raises where they do not agree.
        advance: called after each start and each measurement.

    Returns: (rows, limits): a dictionary a job, and that of the machine.
    Raises: WorkerFailed.
    """
    advance = advance or (lambda: None)
    with workers_at([*jobs, ceiling], on_start=lambda worker: advance()) as (*workers, limits):
        if check is not None:
            check(workers)
        measures = {index: worker.seconds for index, worker in enumerate(workers)}
        for call in ("matmul", "stream"):
            measures[call] = lambda at_least, call=call: limits.seconds(at_least, call)
        *timings, matmul, stream = measure_in_turn(measures, rounds, seconds, advance)
        memories = [worker.memory() for worker in workers]
        found = limits_of(limits.started["about"], matmul, stream)
    timings = [
        Timing(timing.name, tuple(each / calls_in_one(worker, batch_size) for each in timing.seconds))
        for worker, timing in zip(workers, timings, strict=True)
    ]
    return [
        row_of(*each, timings[0], mode, batch_size, found) for each in zip(workers, timings, memories, strict=True)
    ], found


def measurements(jobs, rounds):
    """How often `compare` advances."""
    return (jobs + 1) + (jobs + 2) * rounds


def calls_in_one(worker, batch_size):
    """Batches that one call of a worker goes through: an epoch of `fit` has several."""
    return worker.started["about"]["images_a_call"] / batch_size


def limits_of(about, matmul, stream):
    """FLOP and bytes a second that the machine reaches at best."""
    return {
        "dtype": about["dtype"],
        "device": about["device"],
        "flops": about["flop"] / matmul.median,
        "flops_each_round": [about["flop"] / each for each in matmul.seconds],
        "bytes_a_second": about["bytes"] / stream.median,
    }


def row_of(worker, timing, memory, first, mode, batch_size, limits):
    """What is known of one subject at one batch size, as plain data. Seconds are those of one batch."""
    started, about = worker.started, worker.started["about"]
    speed, slowest, fastest = timing.speed_over(first)
    flops = None
    if about.get("macs"):
        flops = 2 * about["macs"] * PASSES.get(mode, TRAINING_PASSES) * batch_size / timing.median
    idle = started["resident"].get("import")
    first_call = next(iter(started["first"].values())) / calls_in_one(worker, batch_size)
    return {
        "name": worker.job.name,
        "runtime": about.get("runtime"),
        "mode": mode,
        "image_size": about["image_size"],
        "batch_size": batch_size,
        "milliseconds": 1000 * timing.median,
        "images_a_second": batch_size / timing.median,
        "speed_over_first": speed,
        "speed_range": (slowest, fastest),
        "seconds": timing.seconds,
        "flops": flops,
        "utilisation": flops and flops / limits["flops"],
        "peak_bytes": memory["peak"] and idle and memory["peak"] - idle,
        "device_peak_bytes": memory["device_peak"],
        "import_seconds": started["seconds"].get("import"),
        "build_seconds": started["seconds"].get("build"),
        "first_call_seconds": first_call,
        "compile_seconds": max(0.0, first_call - timing.median),
        "page_faults": median_faults(worker.faults, worker, batch_size),
    }


def median_faults(faults, worker, batch_size):
    """Of one batch; None where the system does not say."""
    known = sorted(each for each in faults if each is not None)
    return known[len(known) // 2] / calls_in_one(worker, batch_size) if known else None
