"""A table of what passes two filters: a brush over a scatter plot, and a drop-down of airlines.

    rdit serve examples/cross_widget/filters.py

Python finds the same rows by its own means, and sets both filters when one of the buttons is pressed.
"""

from pathlib import Path

import numpy
import traitlets
from flight_data import AIRLINES, make_flights

import rdit_core as vw

HERE = Path(__file__).parent
LOOK = HERE / "look.css"
flights = make_flights()

airline_filter = vw.create(
    HERE / "airlines.js",
    data={"airline": flights["airline"]},
    exports={"selected_airlines": (traitlets.List(traitlets.Enum(list(AIRLINES))), "codes of the airlines to show")},
    imports={"names": vw.constant(AIRLINES)},
    css=LOOK,
)

scatter = vw.create(
    HERE / "scatter.js",
    data=flights,
    exports={"selected_indices": "rows of the flights inside of the brush"},
    css=LOOK,
)

table = vw.create(
    HERE / "table.js",
    data=flights,
    imports={
        "selected_indices": scatter.selected_indices,
        "selected_airlines": airline_filter.selected_airlines,
    },
    css=LOOK,
)

readout = vw.create(HERE / "readout.js", exports={"text": (traitlets.Unicode(), "what Python has to say")}, css=LOOK)


def find():
    """Python's own way to the rows that pass both filters."""
    passes = numpy.ones(len(flights["flight"]), bool)
    if scatter.selected_indices:
        passes[:] = False
        passes[scatter.selected_indices] = True
    if airline_filter.selected_airlines:
        passes &= numpy.isin(flights["airline"], airline_filter.selected_airlines)
    return passes


def describe(_change=None):
    """Say what Python finds, whenever one of the filters changes."""
    late = flights["delay"][find()]
    readout.text = f"{len(late):,} flights, {(late > 15).sum():,} of them more than a quarter of an hour late"


scatter.observe(describe, "selected_indices")
airline_filter.exports.selected_airlines.observe(describe)
describe()

buttons = vw.create(
    HERE / "buttons.js", imports={"labels": ["Late flights of Swift and Crane", "Everything"]}, css=LOOK
)


def choose(_widget, message, _buffers):
    """Python sets both filters. `atomic` has them reach each page as one change."""
    with vw.atomic():
        if message["pressed"] == "Everything":
            scatter.selected_indices = []
            airline_filter.selected_airlines = []
        else:
            scatter.selected_indices = (flights["delay"] > 30).nonzero()[0].tolist()
            airline_filter.selected_airlines = ["SW", "CR"]


buttons.on_msg(choose)
