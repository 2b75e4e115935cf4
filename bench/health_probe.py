"""How long a server's `/healthz` takes to answer: `python -m bench.health_probe HOST PORT SECONDS`.

One number per line on stdout, in seconds, one every so often. A process of its own, so that what else the asker does is
not in the numbers.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
import time


def main(host: str, port: int, every_s: float) -> None:
    """Ask until nobody answers, or nobody reads."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection(host, port, timeout=60)
        while True:
            begin_s = time.perf_counter()
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            print(f"{time.perf_counter() - begin_s:.6f}", flush=True)
            time.sleep(every_s)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
