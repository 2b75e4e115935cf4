"""The widget of the stories about faults: fields, a track to drag along, and buttons that write what they must not.

In the page `window.panels[label]` is its model, and `window.shown[label]` every value that the model has shown since:
`[milliseconds, property, value]`, in order. Of long texts it shows and keeps the beginning.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import anywidget
import traitlets

FIELDS = ("a", "b", "c", "d")


class Rising(traitlets.Float):
    """Set by one thread at a time, so that whoever holds the lock may read a value and set one that builds on it."""

    def set(self, obj: Any, value: Any) -> None:
        with obj.lock:
            super().set(obj, value)


class Panel(anywidget.AnyWidget):
    _esm = """
    const TRACK_PX = 1000;
    const BAD_WRITES = {
      "wrong-type": ["limited", "text"],
      "out-of-range": ["limited", 99],
      unknown: ["no_such_trait", 1],
      "read-only": ["fixed", "changed"],
      protected: ["_esm", "export default {}"],
    };

    export default {
      render({ model, el }) {
        const label = model.get("label");
        (window.panels ??= {})[label] = model;
        const log = ((window.shown ??= {})[label] = []);
        const make = (tag, className) => el.appendChild(Object.assign(document.createElement(tag), { className }));

        for (const name of ["a", "b", "c", "d", "limited", "fixed"]) {
          const input = make("input", `field-${label}-${name}`);
          const output = make("output", `shown-${label}-${name}`);
          const show = () => {
            const value = model.get(name);
            const short = typeof value === "string" ? value.slice(0, 40) : value;
            output.textContent = JSON.stringify(short);
            log.push([performance.now(), name, short]);
          };
          input.size = 6;
          input.addEventListener("change", () => {
            model.set(name, JSON.parse(input.value));
            model.save_changes();
          });
          model.on(`change:${name}`, show);
          show();
        }

        const track = make("div", `track-${label}`);
        const thumb = track.appendChild(document.createElement("i"));
        track.style.cssText = `position: relative; width: ${TRACK_PX}px; height: 40px; background: #8884`;
        thumb.style.cssText = "position: absolute; width: 3px; height: 40px; background: #08f; pointer-events: none";
        const shown = make("output", `shown-${label}-position`);
        const place = () => {
          const value = model.get("position");
          thumb.style.left = `${value}px`;
          shown.textContent = String(value);
          const last = log.findLast(([, name]) => name === "position");
          if (last?.[2] !== value) log.push([performance.now(), "position", value]);
        };
        let isDragging = false;
        let reached = -1;
        // Between two events too: what the model holds is what a widget that draws on a timer would show.
        const watch = () => {
          place();
          if (isDragging) requestAnimationFrame(watch);
        };
        const follow = (event) => {
          const value = Math.round(event.clientX - track.getBoundingClientRect().left);
          if (!isDragging || value === reached) return;
          reached = value;
          track.dataset.moves = Number(track.dataset.moves ?? 0) + 1;
          model.set("position", value);
          model.save_changes();
        };
        track.addEventListener("pointerdown", (event) => {
          track.setPointerCapture(event.pointerId);
          isDragging = true;
          reached = -1;
          follow(event);
          watch();
        });
        track.addEventListener("pointermove", follow);
        track.addEventListener("pointerup", (event) => {
          follow(event);
          isDragging = false;
          track.dataset.dragged = Number(track.dataset.dragged ?? 0) + 1;
        });
        model.on("change:position", place);
        place();

        for (const [kind, [name, value]] of Object.entries(BAD_WRITES)) {
          const button = make("button", `write-${label}-${kind}`);
          button.textContent = kind;
          button.addEventListener("click", () => {
            model.set(name, value);
            model.save_changes();
          });
        }
      },
    };
    """
    label = traitlets.Unicode("main").tag(sync=True)
    a: Any = traitlets.Any(0).tag(sync=True)
    b: Any = traitlets.Any(0).tag(sync=True)
    c: Any = traitlets.Any(0).tag(sync=True)
    d: Any = traitlets.Any(0).tag(sync=True)
    limited = traitlets.Int(5, min=0, max=10).tag(sync=True)
    fixed = traitlets.Unicode("fixed", read_only=True).tag(sync=True)
    position = Rising(0.0).tag(sync=True)

    shown = (*FIELDS, "limited", "fixed", "position")

    def __init__(self, **traits: Any) -> None:
        self.lock = threading.RLock()
        super().__init__(**traits)

    def nudge(self) -> None:
        """Set a position that is ahead of the present one, and behind the next one that a drag can reach."""
        with self.lock:
            whole = math.floor(self.position)
            self.position = whole + min(0.9, self.position - whole + 0.1)


class Repeatedly:
    """Runs something in a thread, so many times a second, between `start` and `stop`."""

    def __init__(self, action: Any) -> None:
        self._action = action
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.times = 0

    def start(self, per_s: float = 0.0) -> None:
        self._stopped.clear()
        self.times = 0
        self._thread = threading.Thread(target=self._run, args=(per_s,), daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Gives how often it ran."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        return self.times

    def _run(self, per_s: float) -> None:
        pause_s = 1 / per_s if per_s else 0
        while not self._stopped.wait(pause_s):
            self._action()
            self.times += 1
