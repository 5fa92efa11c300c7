"""Pictures in, arrays out; labels. Knows nothing of models."""
