"""The core over plain `websockets`: no rdit server, no web framework.

    pip install rdit websockets
    python examples/embedding/over_websockets.py

A page connects with rdit's browser side, `connect("ws://127.0.0.1:8766/")`, or with thirty lines of its own.
"""

import asyncio
import contextlib
import os
from time import monotonic

import anywidget
import traitlets
from websockets.asyncio.server import serve

from rdit_core import WidgetManager, check_origin

PORT = int(os.environ.get("PORT", "8766"))
ORIGINS = os.environ.get("ORIGINS", "http://127.0.0.1:5173").split()  # whose pages may come


class Counter(anywidget.AnyWidget):
    _esm = "export default { render({ model, el }) { el.textContent = model.get('value') } }"
    value = traitlets.Int(0).tag(sync=True)


def choose(socket, offered):  # a page that offers neither speaks base mode
    return next((one for one in ("rdit.v1", "rdit.base") if one in offered), None)


async def handle(socket):
    verdict = check_origin(socket.request.headers.get_all("Origin"), ORIGINS)
    if not verdict.allowed:  # any page may open a WebSocket to anywhere: this is the lock on the door
        return await socket.close(1008, verdict.code)
    awake = asyncio.Event()
    mode = "v1" if socket.subprotocol == "rdit.v1" else "base"
    connection = manager.connect(verdict, mode=mode, wakeup=awake.set, now_s=monotonic())

    async def write():
        while connection.closing is None:
            awake.clear()
            connection.handle_timeout(monotonic())
            for frame in connection.frames_to_send(monotonic()):
                await socket.send(frame)
            deadline = connection.next_deadline()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(awake.wait(), None if deadline is None else max(0.0, deadline - monotonic()))
        await socket.close(*connection.closing)

    writer = asyncio.create_task(write())
    try:
        async for frame in socket:
            connection.receive_frame(frame, monotonic())
            connection.events_received()  # what a host may want to log; kept until it is asked for
    finally:
        writer.cancel()
        connection.receive_eof(monotonic())


async def main():
    loop = asyncio.get_running_loop()
    manager.on("pending", lambda: loop.call_soon(manager.apply_pending))  # observers run in this loop, between frames
    counter = Counter()
    counter.observe(lambda change: print("Python saw", change["new"], flush=True), "value")
    manager.register("counter", counter)
    async with serve(handle, "127.0.0.1", PORT, select_subprotocol=choose) as server:
        print(f"listening at ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


manager = WidgetManager()
asyncio.run(main())
