from described import describe
from flight_data import make_flights

import rdit_core as vw

describe({"points of": "scatter.js", "how often": "histogram.js"})

flights = make_flights()

plot = vw.create(
    "points of the delay of flights over their distance; a brush selects some",
    data=flights,
    exports={"selected_indices": "numbers of the rows inside of the brush"},
)

delays = vw.create(
    "how often each delay occurs, among the flights that the other plot has selected",
    data=flights,
    imports={"selected_indices": plot.selected_indices},
)

print(f"at first: {plot.selected_indices}")
delays.observe(lambda change: print(f"selected: {len(change['new'])}"), "selected_indices")
