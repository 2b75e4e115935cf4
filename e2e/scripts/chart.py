import altair as alt
import pandas as pd
from poke import Poke

alt.JupyterChart.enable_offline()

frame = pd.DataFrame({"x": range(10), "y": [n * n for n in range(10)]})
brush = alt.selection_interval(name="brush")
size = alt.param(name="size", value=40)
points = alt.Chart(frame, width=300, height=200).mark_circle(size=size).encode(x="x:Q", y="y:Q").add_params(brush, size)
chart = alt.JupyterChart(points, embed_options={"renderer": "svg", "actions": False})


def report(change):
    print("brush", sorted(change["new"].get("brush", {}).get("value") or {}))


chart.observe(report, "_vl_selections")
chart


def enlarge():
    chart.params.size = 400


def replace():
    chart.chart = alt.Chart(frame, width=300, height=200).mark_bar().encode(x="x:O", y="y:Q")


Poke("enlarge", enlarge)
Poke("replace", replace)
