import traitlets
from poke import Field, Poke


class Clamped(Field):
    value = traitlets.Int(5, min=0, max=10).tag(sync=True)

    @traitlets.validate("value")
    def _clamp(self, proposal):
        return min(proposal["value"], 7)


clamped = Clamped(label="clamped")
clamped

shared = Field(label="shared", value="start")
shared.observe(lambda change: print(f"shared is {change['new']!r}"), "value")
shared

Poke("set", lambda: setattr(shared, "value", "from Python"))
