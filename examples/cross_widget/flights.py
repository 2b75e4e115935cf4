"""A brush over a scatter plot filters a histogram.

    rdit serve examples/cross_widget/flights.py

Python reads the selection for the line below, and sets it when one of the buttons is pressed.
"""

from pathlib import Path

from flight_data import make_flights

import rdit_core as vw

HERE = Path(__file__).parent
LOOK = HERE / "look.css"
flights = make_flights()
delay = flights["delay"]

scatter = vw.create(
    HERE / "scatter.js",
    data=flights,
    exports={"selected_indices": "rows of the flights inside of the brush"},
    css=LOOK,
)

histogram = vw.create(
    HERE / "histogram.js",
    data=flights,
    imports={"selected_indices": scatter.selected_indices},
    css=LOOK,
)


def describe(selected):
    """What Python makes of a selection."""
    chosen = delay[selected] if selected else delay
    return f"{len(chosen):,} flights, {chosen.mean():.1f} minutes late on average, {chosen.max():.0f} at worst"


# Python reads what the page selects: an import may be made into something else on its way.
readout = vw.create(HERE / "readout.js", imports={"text": vw.one_way(scatter.selected_indices, describe)}, css=LOOK)

buttons = vw.create(
    HERE / "buttons.js", imports={"labels": ["Select the ten latest", "Select the long hauls", "Select none"]}, css=LOOK
)


def select(_widget, message, _buffers):
    """Python sets a selection, and both widgets show it."""
    if message["pressed"] == "Select the ten latest":
        scatter.selected_indices = delay.argsort()[-10:].tolist()
    elif message["pressed"] == "Select the long hauls":
        scatter.selected_indices = (flights["distance"] > 3000).nonzero()[0].tolist()
    else:
        scatter.selected_indices = []


buttons.on_msg(select)
