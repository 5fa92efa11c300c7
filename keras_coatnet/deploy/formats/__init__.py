"""One file a format: how it is written, opened again in its own runtime, and what it says about itself."""
