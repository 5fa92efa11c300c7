"""Runs on several devices or in several processes, each started by tests as a process of its own:

scaled_run.py devices COUNT FOLDER          on virtual devices: losses of one, of copies and of a cut model; answers
scaled_run.py processes COUNT INDEX PORT FOLDER   one of several processes that train together, a device each
scaled_run.py replicas COUNT FOLDER         TensorFlow's replicas on virtual devices

Each leaves what it found as `FOLDER/....json`.
"""

import json
import os
import sys
from pathlib import Path

SIZE = (32, 48)
# Without what would be drawn anew on each device: what is left has to come out equal.
CHANGES = {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 2, "batch_size": 16, "accumulation": 1}


def make_virtual_devices(count):
    """Before JAX or TensorFlow is loaded. Compiling quickly is what counts for tests."""
    flags = f"--xla_force_host_platform_device_count={count} --xla_backend_optimization_level=0"
    os.environ["XLA_FLAGS"] = flags
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)


def make_recipe(**fields):
    from small_runs import RECIPE

    return RECIPE.replace(**{**CHANGES, **fields})


def make_model():
    import keras
    from small_runs import SPEC

    import keras_coatnet as kc

    keras.utils.set_random_seed(1)
    return kc.CoAtNet(SPEC, input_shape=(*SIZE, 3), num_classes=2)


def train_here(recipe, model=None, **options):
    """(model, [loss behind each batch], last row) of a run in the scope in which this is called."""
    import keras
    from small_runs import rows

    from keras_coatnet.training.data.feeds import evaluation_feed, training_feed
    from keras_coatnet.training.run.loop import train

    class Losses(keras.callbacks.Callback):
        found = ()

        def on_train_batch_end(self, batch, logs=None):
            self.found = (*self.found, float(logs["loss"]))

    losses, model = Losses(), model or make_model()
    feed = training_feed(rows(35), 2, recipe, size=SIZE, workers=0, loader="keras", seed=3)
    held_out = evaluation_feed(rows(11), 2, recipe.preprocessing(), SIZE, batch_size=8, workers=0, loader="keras")
    history = train(model, recipe, feed, held_out, callbacks=[losses], **options)
    return model, list(losses.found), history[-1]


def devices(count, folder):
    import contextlib

    import keras
    from small_runs import StopAfter, rows

    import keras_coatnet as kc
    from keras_coatnet.training.run.keeper import Stopped
    from keras_coatnet.training.scale.devices import make_distribution

    recipe = make_recipe()
    model, losses, row = train_here(recipe)
    pictures = [rows(3).read(index) for index in range(3)]
    found = {"one": losses, "one_row": row, "one_answers": probabilities(kc.predict(model, pictures))}
    with make_distribution().scope():
        model, found["data"], found["data_row"] = train_here(recipe)
        found["data_answers"] = probabilities(kc.predict(model, pictures))
        found["data_answer_to_one"] = probabilities(kc.predict(model, pictures[0]))
        with contextlib.suppress(Stopped):
            train_here(recipe, model=make_model(), resume_folder=folder, stop=StopAfter(2))
    with make_distribution(2).scope():
        _, found["resumed"], found["resumed_row"] = train_here(recipe, resume_folder=folder)
    with make_distribution(model_parallel=2).scope():
        model, found["model"], found["model_row"] = train_here(recipe)
        found["cut"] = cut_variables([*model.variables, *model.optimizer.variables])
        found["model_answers"] = probabilities(kc.predict(model, pictures))
        file = save_here(model, folder)
    found["loaded_answers"] = probabilities(kc.predict(keras.models.load_model(file), pictures))
    assert len(keras.distribution.list_devices()) == count
    write(folder, "devices", found)


def save_here(model, folder):
    from keras_coatnet.training.run.folder import save_run

    return save_run(model, ["dark", "bright"], Path(folder) / "run")


def cut_variables(variables):
    """{path: shape of the part on one device} of all that do not lie whole on every device."""
    parts = {variable.path: variable.value.sharding.shard_shape(variable.value.shape) for variable in variables}
    shapes = {variable.path: tuple(variable.shape) for variable in variables}
    return {path: [*part] for path, part in parts.items() if part != shapes[path]}


def probabilities(answers):
    """Those of both classes, in their order, of each picture."""
    return [[guess.probability for guess in sorted(answer, key=lambda guess: guess.label)] for answer in answers]


def processes(count, index, port, folder):
    import contextlib

    from small_runs import StopAfter, rows

    import keras_coatnet as kc
    from keras_coatnet.training.data.feeds import evaluation_feed
    from keras_coatnet.training.evaluation import collect_answers
    from keras_coatnet.training.run.keeper import Stopped
    from keras_coatnet.training.scale.devices import make_distribution
    from keras_coatnet.training.scale.processes import start_processes

    start_processes(f"127.0.0.1:{port}", int(count), int(index))
    recipe = make_recipe()
    with make_distribution().scope():
        with contextlib.suppress(Stopped):
            # One process alone is asked to stop.
            train_here(recipe, resume_folder=folder, stop=StopAfter(0) if index == 1 else None)
        model, losses, row = train_here(recipe, resume_folder=folder)
        feed = evaluation_feed(rows(11), 2, recipe.preprocessing(), SIZE, batch_size=8, workers=0, loader="keras")
        answers = collect_answers(model, feed)
        refusal = refused(lambda: kc.predict(model, rows(1).read(0)))
        save_here(model, folder)
    found = {
        "losses": losses,
        "row": row,
        "names": answers.names,
        "loss": answers.loss,
        "refusal": refusal,
    }
    write(folder, f"process{index}", found)


def refused(call):
    """What a call that must not be done says."""
    try:
        call()
    except ValueError as error:
        return str(error)


def replicas(count, folder):
    import contextlib

    import keras
    from small_runs import StopAfter, rows

    import keras_coatnet as kc
    from keras_coatnet.training.run.keeper import Stopped
    from keras_coatnet.training.scale.devices import make_distribution

    recipe = make_recipe(ema_decay=0.9)
    pictures = [rows(3).read(index) for index in range(3)]
    found = {}
    with make_distribution().scope():
        model = make_model()
        with contextlib.suppress(Stopped):
            train_here(recipe, model, resume_folder=folder, stop=StopAfter(2))
        model, found["losses"], found["row"] = train_here(recipe, model, resume_folder=folder)
        found["answers"] = probabilities(kc.predict(model, pictures))
        found["answer_to_one"] = probabilities(kc.predict(model, pictures[0]))
        file = save_here(model, folder)
    found["loaded_answers"] = probabilities(kc.predict(keras.models.load_model(file), pictures))
    write(folder, "replicas", found)


def write(folder, name, found):
    (Path(folder) / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    make_virtual_devices(1 if kind == "processes" else int(arguments[0]))
    {"devices": devices, "processes": processes, "replicas": replicas}[kind](
        *(int(each) if each.isdigit() else each for each in arguments)
    )
