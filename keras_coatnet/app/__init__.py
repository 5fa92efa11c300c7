"""A local page: drop a photograph, see the labels, where the model looked and how sure it is."""
