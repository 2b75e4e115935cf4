import numpy as np
import plotly.graph_objects as go
from poke import Poke

figure = go.FigureWidget(
    data=[go.Scatter(x=np.arange(5.0), y=np.arange(5.0) ** 2, mode="markers", marker={"size": 14})],
    layout={"width": 500, "height": 300, "dragmode": "select", "margin": {"l": 40, "r": 20, "t": 20, "b": 40}},
)
figure.data[0].on_selection(lambda trace, points, selector: print("selected", points.point_inds))
figure.layout.on_change(lambda layout, x_range: print("range", x_range), "xaxis.range")
figure

Poke("add", lambda: figure.add_trace(go.Bar(y=np.array([1.0, 2.0, 3.0]))))
