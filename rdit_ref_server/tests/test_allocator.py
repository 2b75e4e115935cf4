"""Freed memory goes back to the system."""

import ctypes
import os
import subprocess
import sys

import pytest

from rdit_ref_server import allocator

pytestmark = pytest.mark.outer

FLOOD = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from rdit_ref_server.allocator import give_back_memory

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

done = give_back_memory() if sys.argv[1] == "yes" else False
def turn(number):  # Large blocks, and behind each a smaller one that stays for longer.
    frames = []
    for size in range(6):
        frames.append(b"x" * (4_000_000 + 300_000 * size))
        kept.append(b"y" * 200_000)

kept = []
before = resident_mb()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(turn, range(int(sys.argv[2]))))
del kept[::2]
print(done, resident_mb() - before)
"""


def flood(wanted, turns, **environment):
    run = subprocess.run(
        [sys.executable, "-c", FLOOD, wanted, str(turns)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    done, grown = run.stdout.split()
    return done == "True", float(grown)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limits are glibc's")
def test_what_large_frames_took_is_given_back():
    done, grown = flood("yes", turns=8)
    if not done:
        pytest.skip("the C library has no mallopt")
    assert grown < 0.7 * flood("no", turns=8)[1]


def test_limits_of_the_environment_stay():
    assert flood("yes", turns=0, MALLOC_MMAP_THRESHOLD_="1000000")[0] is False


def test_another_c_library_is_left_alone(monkeypatch):
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert allocator.give_back_memory() is False
