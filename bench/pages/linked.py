"""The script that `rdit serve` runs for the benchmark of linked widgets: two pairs, made as a user makes them, and
what somebody without links would write.
"""

import runpy
from pathlib import Path

import rdit_core as vw

MODULE = Path(__file__).parent / "linked.js"
# The trait of the example that paints landscapes.
Heights = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "cross_widget" / "heights.py"))["Heights"]

plot = vw.create(MODULE, exports={"selected": "rows inside of the brush"})
histogram = vw.create(MODULE, imports={"selected": plot.selected})

alone = vw.create(MODULE, exports={"asked": "rows", "answered": "the same rows"})
alone.observe(lambda change: setattr(alone, "answered", change["new"]), "asked")

painter = vw.create(MODULE, exports={"heightmap": (Heights(), "64 × 64 heights from 0 to 1")})
landscape = vw.create(MODULE, imports={"heightmap": painter.heightmap})
