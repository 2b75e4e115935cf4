from described import describe
from planet_data import PLANETS

import rdit_core as vw

describe({"the planets": "planets.js", "bars": "planet_chart.js"})

sky = vw.create(
    "the planets on their way round the sun, to be clicked at",
    data=PLANETS,
    exports={"selected_planet": "name of the planet that was clicked at last"},
)

bars = vw.create(
    "bars of the planets' properties; the selected planet stands out",
    data=PLANETS,
    imports={"selected_planet": sky.selected_planet},
)

bars.observe(lambda change: print(f"picked: {change['new']}"), "selected_planet")
