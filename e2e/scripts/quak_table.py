import pandas as pd
from quak import Widget

frame = pd.DataFrame({"letter": list("aaabbc") * 50, "number": range(300)})
table = Widget(frame)
table.observe(lambda change: print("chosen:", change["new"] and len(table.data())), "sql")
table
