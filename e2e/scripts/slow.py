import anywidget
import traitlets
from poke import Poke


class Slow(anywidget.AnyWidget):
    """Its module takes 5 s, as from a slow network: longer than hosts elsewhere wait."""

    _esm = """
    await new Promise((done) => setTimeout(done, 5000));
    export default {
      render({ model, el }) {
        const button = el.appendChild(document.createElement("button"));
        button.className = "slow";
        const show = () => { button.textContent = `slow ${model.get("count")}`; };
        button.addEventListener("click", () => {
          model.set("count", model.get("count") + 1);
          model.save_changes();
        });
        model.on("change:count", show);
        show();
      },
    };
    """
    count = traitlets.Int(0).tag(sync=True)


slow = Slow()
slow.observe(lambda change: print("count is", change["new"]), "count")
slow


def add():
    slow.count += 10


Poke("add", add)
