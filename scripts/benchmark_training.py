"""Speed of the training loop of `keras-coatnet train` beside a bare compiled step, timm's step and the input pipeline.

    python scripts/benchmark_training.py coatnet_0_rw --backends jax tensorflow --timm-python PYTHON --data DIR
    python scripts/benchmark_training.py coatnet_tiny200_cctt --image-size 64 --subjects "ours*" --backends jax

All are processes that live side by side; every round wakes each once, in an order drawn anew. Printed are medians over
rounds of pictures a second, and of the ratios to each base within a round, with lowest and highest. Nothing but the
input reads pictures: the loop gets one batch over and over.

What is timed (`--subjects` takes shell patterns):
  timm, timm+m         a step in eager mode, channels last; +m: with the C library told to keep freed memory
  ours BACKEND step    a bare compiled step, freed memory kept as our commands do; ", plain": not kept
  ours BACKEND loop    the command's loop: feed, `fit`, metrics, progress bar, NaN watch
  input                batches of `--data` by `--recipe`, made by `--workers` processes, while nothing else runs
"""

import argparse
import contextlib
import fnmatch
import os
import pathlib
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(SCRIPTS.parent), str(SCRIPTS)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_coatnet.benchmark.measure import measure_in_turn  # noqa: E402
from keras_coatnet.benchmark.workers import Job, workers_at  # noqa: E402

BASES = ("timm+m", "timm")
PATH = (str(SCRIPTS.parent), str(SCRIPTS))


def main():
    options = parse()
    for backend in options.backends:
        jobs = [job for job in list_jobs(backend, options) if is_wanted(job.name, options)]
        with contextlib.ExitStack() as stack:
            workers = stack.enter_context(workers_at(jobs))
            measures = {worker.job.name: seconds_a_picture(worker, options.batch_size) for worker in workers}
            if options.data and is_wanted("input", options):
                measures["input"] = stack.enter_context(input_pipeline(options))
            timings = measure_in_turn(measures, options.rounds, options.seconds)
        show(timings, options)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", default="coatnet_0_rw")
    parser.add_argument("--backends", nargs="+", default=["jax", "tensorflow"], choices=("jax", "tensorflow", "torch"))
    parser.add_argument("--timm-python", default=sys.executable)
    parser.add_argument("--subjects", nargs="+", default=["*"], metavar="PATTERN", help="which (default: all)")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=8, help="of an epoch of the loop (default: 8)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a measurement, at least (default: 1)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", metavar="DIR", help="pictures for the input pipeline, as `train` takes them")
    parser.add_argument("--recipe", default="transfer")
    parser.add_argument("--workers", type=int, default=2, help="of the input pipeline (default: 2)")
    return parser.parse_args()


def is_wanted(name, options):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in options.subjects)


def list_jobs(backend, options):
    """The jobs of a group, the bases first."""
    from keras_coatnet.allocator import SWITCH, VARIABLES
    from keras_coatnet.benchmark.compare import backend_environment, subject_job, thread_environment

    threads, sides = thread_environment(options.threads), (options.image_size,) * 2
    peer = {"variant": options.variant, "sides": sides, "weights": None, "images": None, "mode": "training"}
    peer["batch_size"] = options.batch_size
    timm = {"python": options.timm_python, "path": PATH}
    yield Job("timm+m", "peers.timm_speed:open_model", peer, environment=threads | VARIABLES, **timm)
    yield Job("timm", "peers.timm_speed:open_model", peer, environment=threads | dict.fromkeys(VARIABLES), **timm)
    ours = {"mode": "training", "batch_size": options.batch_size, "image_size": sides}
    step = f"ours {backend} step"
    yield subject_job(options.variant, backend, threads, label=step, **ours)
    yield subject_job(options.variant, backend, threads | {SWITCH: "0"}, label=f"{step}, plain", **ours)
    loop = {"variant": options.variant, "side": options.image_size, "batch_size": options.batch_size}
    yield Job(
        f"ours {backend} loop",
        "benchmark_training:open_loop",
        loop | {"steps": options.steps},
        environment=threads | backend_environment(backend),
        path=PATH,
    )


def seconds_a_picture(worker, batch_size):
    """A function for `measure_in_turn`."""
    pictures = worker.started["about"].get("images_a_call", batch_size)
    return lambda at_least: worker.seconds(at_least) / pictures


@contextlib.contextmanager
def input_pipeline(options):
    """Yields the function that measures it."""
    import time

    from keras_coatnet.training.data import training_feed
    from keras_coatnet.training.recipes import get_recipe
    from keras_coatnet.training.sources import open_data

    data = open_data(options.data)
    recipe = get_recipe(options.recipe).replace(image_size=options.image_size, batch_size=options.batch_size)
    with training_feed(data.train, len(data.classes), recipe, workers=options.workers) as feed:
        step = 0

        def seconds(at_least):
            nonlocal step
            stream = iter(feed.dataset(None if not step else divmod_position(step, feed.steps)))
            # What was read ahead, and processes that start.
            for _ in range(2 * max(1, options.workers) + 2):
                next(stream)
            begin, count = time.perf_counter(), 0
            while time.perf_counter() - begin < at_least:
                next(stream)
                count += 1
            step += count
            return (time.perf_counter() - begin) / (count * options.batch_size)

        yield seconds


def divmod_position(step, steps):
    from keras_coatnet.training.order import Position

    return Position(*divmod(step, steps))


def open_loop(mark, variant, *, side, batch_size, steps):
    """The command's loop as something to time: see `keras_coatnet/benchmark/worker_process.py`.

    Args:
        mark: function of a step's name.
        variant: name.
        side: of the pictures.
        batch_size: pictures a batch.
        steps: batches of a call, which is an epoch.
    """
    from rich.console import Console
    from rich.progress import Progress

    from keras_coatnet.allocator import keep_freed_memory
    from keras_coatnet.benchmark.subjects import build_variant
    from keras_coatnet.cli.training_display import ProgressCallback
    from keras_coatnet.training.checkpoints import RunState
    from keras_coatnet.training.feed import Feed
    from keras_coatnet.training.keeper import Keeper
    from keras_coatnet.training.loop import prepare, run_epochs
    from keras_coatnet.training.recipes import get_recipe

    mark("import")
    keep_freed_memory()
    model = build_variant(variant, (side, side))
    recipe = get_recipe("transfer").replace(ema_decay=None, clip_norm=None, layer_decay=1.0, batch_size=batch_size)
    feed = Feed(SameBatch(batch_size, side, model.output_shape[-1], steps), workers=0)
    engine = prepare(model, recipe, feed, recipe.epochs)
    state = RunState()
    keeper = Keeper(model, state, steps, batch_size)
    progress = Progress(console=Console(file=open(os.devnull, "w"), force_terminal=True))  # noqa: SIM115
    progress.start()
    display = ProgressCallback(progress, recipe.epochs, steps, batch_size)
    mark("build")

    def call():
        run_epochs(model, engine, feed, None, state, state.position.epoch + 1, keeper, [display])

    return {"calls": {"run": call}, "about": {"images_a_call": steps * batch_size}}


class SameBatch:
    """Makes one batch over and over, so that a feed costs nothing but its way to the device."""

    endless = True

    def __init__(self, batch_size, side, classes, steps):
        import numpy as np

        from keras_coatnet.training.batches import Batch

        generator = np.random.default_rng(0)
        images = generator.standard_normal((batch_size, side, side, 3)).astype("float32")
        labels = np.eye(classes, dtype="float32")[np.arange(batch_size) % classes]
        self.steps, self.batch_size, self.shapes = steps, batch_size, (images.shape, labels.shape)
        self._batch = Batch((images, labels))

    def batch(self, epoch, step):
        return self._batch


def show(timings, options):
    print(
        f"\n{options.variant}, {options.image_size} pixels, batches of {options.batch_size}, "
        f"{options.threads} threads, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}"
    )
    bases = [timing for timing in timings if timing.name in BASES or timing.name.endswith(" step")]
    for timing in timings:
        ratios = [(base.name, timing.speed_over(base)) for base in bases if base is not timing]
        shown = "  ".join(f"{name} {mid:.2f} ({low:.2f}-{high:.2f})" for name, (mid, low, high) in ratios)
        print(f"  {timing.name:28}{1 / timing.median:8.2f} pictures/s  over {shown}", flush=True)


if __name__ == "__main__":
    main()
