"""Pictures to labels with a model: made ready, classified in batches, decoded."""
