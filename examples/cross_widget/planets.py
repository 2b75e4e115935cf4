"""A planet that is clicked at stands out in a chart, and one that is picked in the chart, in the sky.

rdit serve examples/cross_widget/planets.py
"""

from pathlib import Path

import rdit_core as vw

HERE = Path(__file__).parent
LOOK = HERE / "look.css"
planets = [
    {"name": "Mercury", "diameter_km": 4879, "gravity": 3.7, "distance_au": 0.39, "year_days": 88.0},
    {"name": "Venus", "diameter_km": 12104, "gravity": 8.9, "distance_au": 0.72, "year_days": 224.7},
    {"name": "Earth", "diameter_km": 12756, "gravity": 9.8, "distance_au": 1.0, "year_days": 365.2},
    {"name": "Mars", "diameter_km": 6792, "gravity": 3.7, "distance_au": 1.52, "year_days": 687.0},
    {"name": "Jupiter", "diameter_km": 142984, "gravity": 23.1, "distance_au": 5.2, "year_days": 4331.0},
    {"name": "Saturn", "diameter_km": 120536, "gravity": 9.0, "distance_au": 9.58, "year_days": 10747.0},
    {"name": "Uranus", "diameter_km": 51118, "gravity": 8.7, "distance_au": 19.2, "year_days": 30589.0},
    {"name": "Neptune", "diameter_km": 49528, "gravity": 11.0, "distance_au": 30.05, "year_days": 59800.0},
]

solar_system = vw.create(
    HERE / "planets.js",
    data=planets,
    exports={"selected_planet": "name of the planet that was clicked at"},
    css=LOOK,
)

chart = vw.create(
    HERE / "planet_chart.js",
    data=planets,
    imports={"selected_planet": solar_system.selected_planet},
    css=LOOK,
)


def describe(name):
    """What Python makes of a choice."""
    if name is None:
        return "Nothing is picked."
    planet = next(planet for planet in planets if planet["name"] == name)
    return f"A jump of half a metre on Earth is one of {0.5 * 9.8 / planet['gravity']:.2f} metres on {name}."


readout = vw.create(HERE / "readout.js", imports={"text": vw.one_way(solar_system.selected_planet, describe)}, css=LOOK)

buttons = vw.create(
    HERE / "buttons.js", imports={"labels": ["Pick Saturn", "Pick the next one", "Pick none"]}, css=LOOK
)


def pick(_widget, message, _buffers):
    """Python picks a planet, and both widgets show it."""
    names = [planet["name"] for planet in planets]
    if message["pressed"] == "Pick Saturn":
        solar_system.selected_planet = "Saturn"
    elif message["pressed"] == "Pick the next one":
        now = solar_system.selected_planet
        solar_system.selected_planet = names[(names.index(now) + 1) % len(names)] if now else names[0]
    else:
        solar_system.selected_planet = None


buttons.on_msg(pick)
