"""What is painted on a map stands in a landscape of three dimensions.

    rdit serve examples/cross_widget/terrain.py

The map is a numpy array here: the line below is computed from it, the buttons make another.
"""

from pathlib import Path

import numpy
from heights import Heights, make_island

import rdit_core as vw

HERE = Path(__file__).parent
LOOK = HERE / "look.css"

painter = vw.create(
    HERE / "painter.js",
    exports={"heightmap": (Heights(), "64 × 64 heights from 0 to 1")},
    css=LOOK,
)
painter.heightmap = make_island()

landscape = vw.create(
    HERE / "landscape.js",
    imports={"heightmap": painter.heightmap},
    css=LOOK,
)


def describe(heights):
    """What Python makes of a map: it is a numpy array here."""
    return f"{(heights > 0.3).mean():.0%} land, {heights.max():.2f} at its highest, {heights.mean():.3f} on average"


readout = vw.create(HERE / "readout.js", imports={"text": vw.one_way(painter.heightmap, describe)}, css=LOOK)

buttons = vw.create(HERE / "buttons.js", imports={"labels": ["Another island", "Smooth it", "Drown it"]}, css=LOOK)
seed = 3


def reshape(_widget, message, _buffers):
    """Python sets a map, and both widgets show it."""
    global seed
    if message["pressed"] == "Another island":
        seed += 1
        painter.heightmap = make_island(seed)
    elif message["pressed"] == "Smooth it":
        near = numpy.pad(painter.heightmap, 1, mode="edge")
        painter.heightmap = sum(near[y : y + 64, x : x + 64] for y in range(3) for x in range(3)) / 9
    else:
        painter.heightmap = painter.heightmap - 0.1


buttons.on_msg(reshape)
