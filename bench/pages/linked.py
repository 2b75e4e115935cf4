"""The script that `rdit serve` runs for the benchmark of linked widgets: two pairs, made as a user makes them."""

import sys
from pathlib import Path

import rdit_core as vw

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "cross_widget"))

from heights import Heights

MODULE = Path(__file__).parent / "linked.js"

plot = vw.create(MODULE, exports={"selected": "rows inside of the brush"})
histogram = vw.create(MODULE, imports={"selected": plot.selected})

painter = vw.create(MODULE, exports={"heightmap": (Heights(), "64 × 64 heights from 0 to 1")})
landscape = vw.create(MODULE, imports={"heightmap": painter.heightmap})
