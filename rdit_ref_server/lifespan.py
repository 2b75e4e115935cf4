"""A kernel for as long as a host application lives.

Starlette and FastAPI run the lifespan of the application that is served, and of none that is mounted in it. So the one
who mounts has to start the kernel, and this is how.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import anyio

from .kernel import Kernel
from .script import Script

_GRACE_S: Final = 3.0
"""How long user code may take to end; then it is left to end with the process."""


@contextlib.asynccontextmanager
async def kernel_lifespan(kernel: Kernel, script: Script) -> AsyncIterator[None]:
    """Serve a kernel in a side thread and run a script in it, inside of the lifespan of the host application.

    At the end what runs is interrupted, and the process is given back what the kernel took over (`sys.stdout`,
    `sys.argv`, `__main__`). By then the web server has closed its connections. A kernel serves once: the next lifespan
    needs another one.
    """
    await anyio.to_thread.run_sync(kernel.start)
    kernel.run(script)
    try:
        yield
    finally:
        with anyio.move_on_after(_GRACE_S, shield=True):
            await anyio.to_thread.run_sync(kernel.close, abandon_on_cancel=True)
