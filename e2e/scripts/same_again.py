"""Twenty kinds of output and ten widgets. With a folder as its argument it waits, three times, for a file in there."""

import asyncio
import itertools
import sys
import threading
import time
from pathlib import Path

import anywidget
import traitlets
from IPython.display import HTML, JSON, SVG, Image, Latex, Markdown, clear_output, display, update_display

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
)


class Subject(anywidget.AnyWidget):
    _esm = """
    export default {
      render({ model, el }) {
        const button = el.appendChild(document.createElement("button"));
        const show = () => { button.textContent = `${model.get("name")}: ${model.get("count")}`; };
        button.className = `subject ${model.get("name")}`;
        button.addEventListener("click", () => {
          model.set("count", model.get("count") + 1);
          model.save_changes();
        });
        model.on("change:count", show);
        show();
      },
    };
    """
    name = traitlets.Unicode().tag(sync=True)
    count = traitlets.Int(0).tag(sync=True)


def gate(number):
    """Wait until the story lets the script go on."""
    for turn in itertools.count():
        if len(sys.argv) < 2 or (Path(sys.argv[1]) / str(number)).exists():
            return
        if turn == 0:
            print(f"at gate {number}")
        time.sleep(0.01)


print("1 a line")
print("2 to stderr", file=sys.stderr)
if True:
    print("3 out", end=" ")
    print("err", file=sys.stderr, end=" ")
    print("out again")
for percent in range(0, 101, 10):
    print(f"4 {percent:3} %", end="\r")
for done in range(5):
    print(f"\r5 bar {'#' * done}{'.' * (4 - done)}", end="", file=sys.stderr, flush=True)
gate(1)
print("6 \x1b[1;31mred\x1b[0m and \x1b[38;5;208morange\x1b[0m")
"7 a value"
HTML("<table><tr><td>8 html</td></tr></table>")
Image(data=PNG, alt="9 a picture")
SVG("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'/></svg>")
Markdown("# 11 *markdown*")
Latex("$12 = \\frac{24}{2}$")
JSON({"thirteen": [1, 2, None]})
display("14 a first text", display_id="fourteen")
update_display("14 another text", display_id="fourteen")
if True:
    print("21 before the gate", end="")
    gate(2)
    print("\r22 behind it     ")
for turn in range(20):
    clear_output(wait=True)
    print("15 turn", turn)
if True:
    print("16 gone")
    clear_output()
    print("16 stays")
thread = threading.Thread(target=lambda: print("17 from a thread"))
thread.start()
thread.join()
await asyncio.sleep(0)
for number in range(30):
    print("18", number) if number % 2 else print("18", number, file=sys.stderr)
subjects = [Subject(name=f"w{number}") for number in range(10)]
for subject in subjects[:8]:
    display(subject)
gate(3)
subjects[8]
subjects[9]
subjects[0].count = 7
subjects[1].observe(lambda change: print("19 observed", change["new"]), "count")
raise ValueError("20 the end")
