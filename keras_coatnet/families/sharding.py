"""How a kernel is cut over the devices that share one copy of a model: which of its axes lies on the mesh's."""

# Stands for the mesh's axis, whatever it is called there.
MODEL = "model"

# A linear map cut by its outputs makes a part of the channels on each device; the next one, cut by its inputs, reads
# them where they are, and the devices add up what they get (arXiv 1909.08053).
BY_OUTPUTS = (None, MODEL)
BY_INPUTS = (MODEL, None)
BY_CHANNELS = (None, None, MODEL, None)
