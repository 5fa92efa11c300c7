"""Random states in weight files: a run that is resumed draws what one that never stopped would have drawn."""

import keras


class SavedRandomState:
    """For layers without variables that own a `seed_generator`; Keras itself leaves it out of every file.

    A file may lack the state (Keras' own Dropout wrote it, or the rate was 0): the layer then keeps the one it has.
    """

    def save_own_variables(self, store):
        generator = getattr(self, "seed_generator", None)
        if generator is not None:
            store["seed"] = keras.ops.convert_to_numpy(generator.state.value)

    def load_own_variables(self, store):
        generator = getattr(self, "seed_generator", None)
        if generator is not None and "seed" in store:
            generator.state.assign(store["seed"])
