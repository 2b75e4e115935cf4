import threading

from control import Control
from panel import Panel

SIZE = 100 * 1024

big = Panel(label="big")
big

ending = threading.Event()
thread = None


def storm():
    number = 0
    while not ending.is_set():
        number += 1
        big.a = f"{number:08d}" + "x" * SIZE
    big.a = f"the end, after {number}"
    return number


def start():
    global thread
    ending.clear()
    counts.clear()
    thread = threading.Thread(target=lambda: counts.append(storm()), daemon=True)
    thread.start()


def stop():
    ending.set()
    thread.join()
    return counts[0]


counts = []

Control(notes=False, big=big, start=start, stop=stop);  # fmt: skip
