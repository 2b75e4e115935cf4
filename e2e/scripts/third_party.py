from drawdata import ScatterWidget
from poke import Poke
from wigglystuff import Paint, Slider2D, SortableList

slider = Slider2D(width=200, height=200)
slider.observe(lambda change: print(f"slider x {change['new']:.2f}"), "x")
slider

basket = SortableList(value=["apple", "banana", "cherry"], removable=True, addable=True)
basket.observe(lambda change: print(f"basket {change['new']}"), "value")
basket

paint = Paint(width=300, height=200)
paint.observe(lambda change: print(f"paint {len(change['new']) > 100}"), "base64")
paint

scatter = ScatterWidget(width=400, height=300)
scatter.observe(lambda change: print(f"scatter {len(change['new'])} points"), "data")
scatter


def set_all():
    slider.x, slider.y = 0.5, -0.25
    basket.value = ["plum", *basket.value]
    scatter.data = [{"x": 50, "y": 50, "color": "#1f77b4", "label": "a", "batch": 0}]


Poke("python", set_all)
