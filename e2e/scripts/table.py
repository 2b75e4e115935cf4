import pandas as pd
import traitlets
from itables.widget import ITable
from poke import Poke


class SelectableTable(ITable):
    @traitlets.observe("selected_rows")
    def _report(self, change):
        print(f"selection: {change['old']} -> {change['new']}")


frame = pd.DataFrame({"letter": list("abcdef"), "number": range(6)})
table = SelectableTable(frame, select={"style": "multi"}, selected_rows=[1])
table

Poke("choose", lambda: setattr(table, "selected_rows", [0, 5]))
