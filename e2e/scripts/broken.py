import anywidget
from poke import Field


class Broken(anywidget.AnyWidget):
    def __init__(self, esm):
        self._esm = esm
        super().__init__()


Field(label="before", value=1)

Broken("import nothing from './not-here.js'; export default { render() {} };")

Broken("export default { render() { throw new Error('the render hook gave up'); } };")

Broken("this is no JavaScript at all (")

Field(label="after", value=2)
