"""The script of the page with many widgets."""

from pathlib import Path

import anywidget
import traitlets
from IPython.display import display

WIDGETS = 200


class Small(anywidget.AnyWidget):
    _esm = Path(__file__).parent / "small.js"
    value = traitlets.Int(0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)


for number in range(WIDGETS):
    display(Small(value=number, label=f"widget {number}"))
print("all are made")
