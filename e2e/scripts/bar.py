"""A loop moves a bar until a file is there: the first argument says which."""

import itertools
import sys
from pathlib import Path

import anywidget
import traitlets


class Bar(anywidget.AnyWidget):
    _esm = """
    export default {
      render({ model, el }) {
        const bar = el.appendChild(document.createElement("progress"));
        bar.max = 1e9;
        window.barSeen = [];
        const show = () => { bar.value = model.get("value"); window.barSeen.push(bar.value); };
        model.on("change:value", show);
        show();
      },
    };
    """
    value = traitlets.Int(0).tag(sync=True)


bar = Bar()
bar
for i in itertools.count():
    bar.value = i
    if i % 100 == 0 and Path(sys.argv[1]).exists():
        break
print("ended at", bar.value)
