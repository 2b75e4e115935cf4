"""Two of each, and a second view of the first slider."""

from drawdata import ScatterWidget
from ipymario import Widget as Mario
from poke import Poke
from wigglystuff import Matrix, Paint, Slider2D, SortableList


def two(make, trait, show=lambda value: value):
    widgets = [make(), make()]
    for number, widget in enumerate(widgets, start=1):
        kind = type(widget).__name__
        widget.observe(lambda change, name=f"{kind} {number}": print(name, trait, show(change["new"])), trait)
        display(widget)
    return widgets


sliders = two(lambda: Slider2D(width=160, height=160), "x", "{:.1f}".format)
sliders[0]
baskets = two(lambda: SortableList(value=["apple", "banana", "cherry"], removable=True, addable=True), "value")
matrices = two(lambda: Matrix(rows=2, cols=2, min_value=0, max_value=10, step=1), "matrix")
paints = two(lambda: Paint(width=200, height=120), "base64", lambda value: len(value) > 100)
scatters = two(lambda: ScatterWidget(width=400, height=200), "data", lambda value: f"has {len(value) > 3}")
marios = two(lambda: Mario(size=40, duration=0.1, gain=0.01), "gain")


def set_all():
    sliders[0].x, sliders[0].y = 0.5, -0.25
    baskets[1].value = ["plum", *baskets[1].value]
    scatters[1].data = [{"x": 50, "y": 50, "color": "#1f77b4", "label": "a", "batch": 0}]
    marios[0].click()


Poke("python", set_all)
