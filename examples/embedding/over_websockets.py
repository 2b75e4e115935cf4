"""The core over plain `websockets`: no rdit server, no web framework.

    pip install rdit websockets
    python examples/embedding/over_websockets.py

A page connects with rdit's browser side, `connect("ws://127.0.0.1:8766/")`, or with thirty lines of its own (base mode).
"""

import asyncio
import os
import time

import anywidget
import traitlets
from websockets.asyncio.server import serve

from rdit_core import WidgetManager, check_origin

PORT = int(os.environ.get("PORT", "8766"))
ORIGINS = os.environ.get("ORIGINS", "http://127.0.0.1:5173").split()  # whose pages may come


class Counter(anywidget.AnyWidget):
    _esm = "export default { render({ model, el }) { el.textContent = model.get('value') } }"
    value = traitlets.Int(0).tag(sync=True)


async def handle(socket):
    verdict = check_origin(socket.request.headers.get_all("Origin"), ORIGINS)
    if not verdict.allowed:  # a browser lets any page open a WebSocket to anywhere: this is the lock on the door
        return await socket.close(1008, verdict.code)
    awake = asyncio.Event()
    mode = "v1" if socket.subprotocol == "rdit.v1" else "base"
    connection = manager.connect(verdict, mode=mode, wakeup=awake.set, now_s=time.monotonic())

    async def write():
        while connection.closing is None:
            awake.clear()
            connection.handle_timeout(time.monotonic())
            for frame in connection.frames_to_send(time.monotonic()):
                await socket.send(frame)
            deadline = connection.next_deadline()
            timeout_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            await asyncio.wait([asyncio.ensure_future(awake.wait())], timeout=timeout_s)
        await socket.close(*connection.closing)

    writer = asyncio.create_task(write())
    try:
        async for frame in socket:
            connection.receive_frame(frame, time.monotonic())
    finally:
        connection.receive_eof(time.monotonic())
        writer.cancel()


async def main():
    manager.on("pending", lambda: loop.call_soon(manager.apply_pending))  # observers run in this loop, between frames
    loop = asyncio.get_running_loop()
    counter = Counter()
    counter.observe(lambda change: print("Python saw", change["new"], flush=True), "value")
    manager.register("counter", counter)
    async with serve(handle, "127.0.0.1", PORT, subprotocols=["rdit.v1", "rdit.base"]) as server:
        print(f"listening at ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


manager = WidgetManager()
asyncio.run(main())
