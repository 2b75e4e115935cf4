"""A FastAPI application that has rdit's page under /widgets, beside routes of its own.

    pip install "rdit[server]" fastapi
    python examples/embedding/in_fastapi.py

Then open the address that it prints. /clicks is a route of the application's own: it reads what the page sets.
"""

import os
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from rdit_ref_server import AccessRules, Kernel, Script, create_app, kernel_lifespan

PORT = int(os.environ.get("PORT", "8000"))
TOKEN = os.environ.get("RDIT_TOKEN", "choose-one-yourself")

kernel = Kernel()  # the thread in which the script and its widgets live: one per process
script = Script(Path(__file__).parent.parent / "counter.py")
rules = AccessRules.for_address("127.0.0.1", PORT, token=TOKEN)


@asynccontextmanager
async def lifespan(app: FastAPI):
    # Nobody runs the lifespan of a mounted application, so the kernel is started here.
    async with kernel_lifespan(kernel, script):
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/clicks")
def clicks() -> list[int]:
    return [widget.value for widget in kernel.manager.widgets.values()]


app.mount("/widgets", create_app(kernel, script, rules))

if __name__ == "__main__":
    print(f"open http://127.0.0.1:{PORT}/widgets/?token={TOKEN}", flush=True)
    uvicorn.run(app, port=PORT, ws="websockets-sansio", log_level="warning")
