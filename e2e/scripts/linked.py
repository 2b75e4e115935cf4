"""Shows one of the examples of linked widgets, and lets a test ask and set what Python has: `linked.py NAME`."""

import importlib
import sys
from pathlib import Path

import numpy
from control import Control

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "cross_widget"))
example = importlib.import_module(sys.argv[1])


def read(widget, name):
    """A trait's value, and what it is made of."""
    value = getattr(getattr(example, widget), name)
    if isinstance(value, numpy.ndarray):
        return {"shape": value.shape, "dtype": str(value.dtype), "values": value.tolist()}
    return value


def write(widget, name, value):
    setattr(getattr(example, widget), name, value)


Control(read=read, write=write, find=lambda: example.find().nonzero()[0].tolist())
