from described import describe
from flight_data import make_flights

import rdit_core as vw

describe({"points": "scatter.js", "a menu": "airlines.js", "a table": "table.js"})

flights = make_flights()

plot = vw.create(
    "points of delays over distances, with a brush",
    data=flights,
    exports={"selected_indices": "rows that the brush covers"},
)

menu = vw.create(
    "a menu of airlines, of which several may be chosen",
    data=flights,
    exports={"selected_airlines": "codes of the chosen airlines, a list"},
)

table = vw.create(
    "a table of the flights that both the brush and the menu let pass",
    data=flights,
    imports={
        "selected_indices": plot.selected_indices,
        "selected_airlines": menu.selected_airlines,
    },
)

table.observe(lambda change: print(f"{change['name']}: {change['new'][:3]}"), ["selected_indices", "selected_airlines"])
