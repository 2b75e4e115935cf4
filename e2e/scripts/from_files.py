import pathlib

import anywidget
import traitlets

FOLDER = pathlib.Path(__file__).parent


class Subject(anywidget.AnyWidget):
    _esm = FOLDER / "subject.js"
    _css = FOLDER / "subject.css"
    count = traitlets.Int(0).tag(sync=True)


subject = Subject()
subject.observe(lambda change: print("count is", change["new"]), "count")
subject
