"""A chart whose code comes from a network that this page may not use, and one that may not make code out of text."""

import altair as alt
import pandas as pd
from poke import Field

Field(label="before", value=1)

chart = alt.Chart(pd.DataFrame({"x": [1, 2]})).mark_point().encode(x="x:Q")
alt.JupyterChart(chart)

Field(label="between", value=2)

alt.JupyterChart.enable_offline()
alt.JupyterChart(chart)

Field(label="after", value=3)
