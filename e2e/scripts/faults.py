from control import Control
from panel import Panel, Repeatedly

main = Panel()
main

nudging = Repeatedly(main.nudge)


def count_up():
    main.c = main.c + 1


counting = Repeatedly(count_up)


def start(per_s=60):
    nudging.start(per_s)
    counting.start(per_s)


def stop():
    counting.stop()
    return nudging.stop()


Control(main=main, start=start, stop=stop);  # fmt: skip
