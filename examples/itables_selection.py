"""Rows selected in the page are a list in Python: an itables table, observed.

    pip install "rdit[server]" itables pandas
    rdit serve examples/itables_selection.py

Click rows of the table: the summary below it is made again in Python.
"""

import anywidget
import pandas as pd
import traitlets
from itables.widget import ITable

countries = pd.DataFrame(
    [
        ("Brazil", "Americas", 203, 8_510),
        ("Egypt", "Africa", 105, 1_010),
        ("France", "Europe", 68, 544),
        ("Germany", "Europe", 84, 358),
        ("India", "Asia", 1_429, 3_287),
        ("Indonesia", "Asia", 278, 1_905),
        ("Japan", "Asia", 124, 378),
        ("Kenya", "Africa", 55, 580),
        ("Mexico", "Americas", 128, 1_964),
        ("Norway", "Europe", 5, 385),
    ],
    columns=["country", "region", "people (millions)", "area (1000 km²)"],
)


class Selection(anywidget.AnyWidget):
    """A line of text that Python writes."""

    _esm = """
    function render({ model, el }) {
      const line = document.createElement("p");
      line.className = "selection";
      const show = () => { line.textContent = model.get("text"); };
      model.on("change:text", show);
      show();
      el.append(line);
    }
    export default { render };
    """
    _css = ".selection { font-size: 1.05em; margin: 0.4em 0; }"

    text = traitlets.Unicode("Select some rows.").tag(sync=True)


class ObservedTable(ITable):
    """A table whose selection Python watches."""

    @traitlets.observe("selected_rows")
    def _summarise(self, change):
        rows = countries.iloc[change["new"]]
        print(f"Selected rows: {list(change['new'])}")
        if rows.empty:
            selection.text = "Select some rows."
        else:
            people, area = rows["people (millions)"].sum(), rows["area (1000 km²)"].sum()
            selection.text = f"{', '.join(rows['country'])}: {people:,} million people on {area:,} thousand km²."


selection = Selection()
table = ObservedTable(countries, select=True, maxBytes=0)
table

selection
