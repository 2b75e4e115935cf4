"""A planet that is clicked at stands out in a chart, and one that is picked in the chart, in the sky.

    rdit serve examples/cross_widget/planets.py

Python has its own say about the choice, and chooses when one of the buttons is pressed.
"""

from pathlib import Path

from planet_data import PLANETS

import rdit_core as vw

HERE = Path(__file__).parent
LOOK = HERE / "look.css"

solar_system = vw.create(
    HERE / "planets.js",
    data=PLANETS,
    exports={"selected_planet": "name of the planet that was clicked at"},
    css=LOOK,
)

chart = vw.create(
    HERE / "planet_chart.js",
    data=PLANETS,
    imports={"selected_planet": solar_system.selected_planet},
    css=LOOK,
)


def describe(name):
    """What Python makes of a choice."""
    if name is None:
        return "Nothing is picked."
    planet = next(planet for planet in PLANETS if planet["name"] == name)
    return f"A jump of half a metre on Earth is one of {0.5 * 9.8 / planet['gravity']:.2f} metres on {name}."


readout = vw.create(HERE / "readout.js", imports={"text": vw.one_way(solar_system.selected_planet, describe)}, css=LOOK)

buttons = vw.create(
    HERE / "buttons.js", imports={"labels": ["Pick Saturn", "Pick the next one", "Pick none"]}, css=LOOK
)


def pick(_widget, message, _buffers):
    """Python picks a planet, and both widgets show it."""
    names = [planet["name"] for planet in PLANETS]
    if message["pressed"] == "Pick Saturn":
        solar_system.selected_planet = "Saturn"
    elif message["pressed"] == "Pick the next one":
        now = solar_system.selected_planet
        solar_system.selected_planet = names[(names.index(now) + 1) % len(names)] if now else names[0]
    else:
        solar_system.selected_planet = None


buttons.on_msg(pick)
