import jscatter
import numpy as np
from poke import Poke

x, y = np.random.default_rng(1).random((2, 500))
scatter = jscatter.Scatter(x=x, y=y, width=400, height=300)
scatter.widget.observe(lambda change: print("selected", len(change["new"])), "selection")
scatter.widget.observe(lambda change: print("mode", change["new"]), "mouse_mode")
scatter.widget

Poke("select", lambda: scatter.selection(range(400)))
