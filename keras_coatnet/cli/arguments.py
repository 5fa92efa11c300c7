"""Argument types that say what is allowed."""

import argparse
import math
import os


def positive_integer(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up; got {text!r}")
    return value


def positive_number(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"must be a number above 0; got {text!r}")
    return value


def seed(text):
    """Whole numbers that every random generator we seed takes."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {2**32 - 1}; got {text!r}")
    return value


def image_size(text):
    """(height, width) of "224" or "224x320"."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"must be N or HxW, whole numbers from 1 up; got {text!r}")
    return int(sides[0]), int(sides[-1])


def core_numbers(text):
    """(0, 1) of "0,1": cores of the processor."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"must be numbers of cores, such as 0,1; got {text!r}")
    numbers = tuple(sorted({int(part) for part in parts}))
    known = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if not set(numbers) <= known:
        shown = ",".join(map(str, sorted(known))) or "none: this system does not pin"
        raise argparse.ArgumentTypeError(f"must be cores that this process may use ({shown}); got {text!r}")
    return numbers
