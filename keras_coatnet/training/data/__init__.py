"""From folders, lists and data sets by name to the batches of `fit` and `evaluate`. Processes load it without Keras."""
