"""Placeholder."""


def load_checkpoint(model, path, source=None, resize=None, head=None):
    raise NotImplementedError


def save_checkpoint(model, path, source="keras"):
    raise NotImplementedError
