from described import describe
from heights import Heights, make_island

import rdit_core as vw

describe({"a map": "painter.js", "the painted": "landscape.js"})

map_of_heights = vw.create(
    "a map of 64 x 64 heights to paint with the mouse",
    data=None,
    exports={"heightmap": (Heights(), "64 x 64 heights from 0 to 1, float32 row by row")},
)

scene = vw.create(
    "the painted map as a landscape of three dimensions, with a plane of water",
    data=None,
    imports={"heightmap": map_of_heights.heightmap},
)

map_of_heights.heightmap = make_island()
scene.observe(lambda change: print(f"painted: {change['new'].shape}"), "heightmap")
