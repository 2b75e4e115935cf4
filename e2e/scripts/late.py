import threading

from control import Control
from panel import Panel

# The test says when the script may go on: until then the server serves, and has no widget.
gate = threading.Event()
control = Control(open=gate.set)

gate.wait();  # fmt: skip

main = Panel()
main

control.add(main=main)
