"""The same widget in each kind of object that can be hosted: for tests that hold for all of them.

Fields: `value` (an integer, not negative), `label` (text), `inside` (anything). No field: `secret`. Commands: `add`,
`fail`, `odd`, `later`. No command: `other`.
"""

from typing import Annotated, Any, ClassVar

import anywidget
import anywidget.experimental
import msgspec
import psygnal
import pydantic
import pytest
import traitlets
from anywidget.experimental import MimeBundleDescriptor, command

ESM = "export default { render() {} }"


class Methods:
    """What all of them can do."""

    secret: ClassVar = "untouched"

    @command
    def add(self, msg, buffers):
        return (msg or 0) + self.value, [*buffers, b"more"]

    @command
    def fail(self, msg, buffers):
        raise ValueError("the reason")

    @command
    def odd(self, msg, buffers):
        return msg

    @command
    async def later(self, msg, buffers):
        return msg + self.value, []

    def other(self, msg, buffers):
        raise AssertionError("no command")


class Any_(Methods, anywidget.AnyWidget):
    _esm = ESM
    value = traitlets.Int(0, min=0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    inside = traitlets.Any(None, allow_none=True).tag(sync=True)


class Plain(Methods, traitlets.HasTraits):
    _esm = ESM
    value = traitlets.Int(0, min=0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    inside = traitlets.Any(None, allow_none=True).tag(sync=True)


class DescribedTraits(Methods, traitlets.HasTraits):
    _repr_mimebundle_ = MimeBundleDescriptor(_esm=ESM)
    value = traitlets.Int(0, min=0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    inside = traitlets.Any(None, allow_none=True).tag(sync=True)


@anywidget.experimental.dataclass(esm=ESM, eq=False)
class Data(Methods):
    value: Annotated[int, msgspec.Meta(ge=0)] = 0
    label: str = ""
    inside: Any = None


class Model(Methods, pydantic.BaseModel):
    _repr_mimebundle_: ClassVar = MimeBundleDescriptor(autodetect_observer=False, _esm=ESM)
    value: int = pydantic.Field(0, ge=0)
    label: str = ""
    inside: Any = None


class Evented(Methods, psygnal.EventedModel):
    _repr_mimebundle_: ClassVar = MimeBundleDescriptor(_esm=ESM)
    value: int = pydantic.Field(0, ge=0)
    label: str = ""
    inside: Any = None


class Struct(Methods, msgspec.Struct, weakref=True, eq=False):
    value: Annotated[int, msgspec.Meta(ge=0)] = 0
    label: str = ""
    inside: Any = None


Struct._repr_mimebundle_ = MimeBundleDescriptor(autodetect_observer=False, _esm=ESM)

KINDS = {
    "anywidget": Any_,
    "traits": Plain,
    "traits with a descriptor": DescribedTraits,
    "dataclass": Data,
    "pydantic": Model,
    "psygnal": Evented,
    "msgspec": Struct,
}
TELLS_OF_CHANGES = KINDS.keys() - {"pydantic", "msgspec"}
"""The others have no notifier: Python says `manager.touch(obj, name)`."""

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
DESCRIBED = {name: kind for name, kind in KINDS.items() if "traits" not in name and name != "anywidget"}
every_described_kind = pytest.mark.parametrize("kind", DESCRIBED.values(), ids=DESCRIBED)
