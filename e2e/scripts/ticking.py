import threading
import time

from poke import Field

clock = Field(label="clock", value=0)
clock


def tick():
    while True:
        time.sleep(0.02)
        clock.value += 1


threading.Thread(target=tick, daemon=True).start()
