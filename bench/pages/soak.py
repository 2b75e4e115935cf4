"""The subject of the soak: widgets that tabs edit and that Python sets all the time, and text that is printed."""

import asyncio
import contextlib
import ctypes
import gc
from typing import Any

import anywidget
import traitlets

EVERY_S = 0.25
BLOB_EVERY = 8
BLOB_WORDS = 8192


class Shared(anywidget.AnyWidget):
    _esm = "export default { render() {} }"
    value = traitlets.Int(0).tag(sync=True)
    clamped = traitlets.Int(0).tag(sync=True)
    ticks = traitlets.Int(0).tag(sync=True)
    blob = traitlets.Bytes(b"").tag(sync=True)

    @traitlets.validate("clamped")
    def _clamp(self, proposal: dict[str, Any]) -> int:
        return max(0, min(100, int(proposal["value"])))


widgets = [Shared() for _ in range(10)]
calm = asyncio.Event()
widgets[0].on_msg(lambda widget, content, buffers: calm.set() if content == "calm" else None)


async def work() -> None:
    number = 0
    while not calm.is_set():
        await asyncio.sleep(EVERY_S)
        number += 1
        widget = widgets[number % len(widgets)]
        widget.ticks = number
        if number % BLOB_EVERY == 0:
            widget.blob = number.to_bytes(4, "little") * BLOB_WORDS
            widget.send({"n": number})
            print("tick", number)
    # What is in use, without what the allocator keeps for later.
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    print("at rest")


async def begin() -> asyncio.Task[None]:
    return asyncio.create_task(work())


task = await begin()  # type: ignore[top-level-await]  # noqa: F704  # `rdit serve` awaits at the top
