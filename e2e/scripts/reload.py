import anywidget
import traitlets
from poke import Poke


def code(version):
    return """
    export default {
      initialize({ model }) { return () => { window.log.push("VERSION initialize cleanup") } },
      render({ model, el, signal }) {
        (window.log ??= []).push("VERSION render");
        const button = el.appendChild(document.createElement("button"));
        button.className = "subject";
        const show = () => { button.textContent = `VERSION ${model.get("count")}`; };
        button.addEventListener("click", () => {
          model.set("count", model.get("count") + 1);
          model.save_changes();
        });
        model.on("change:count", show);
        show();
        return async () => {
          await new Promise((done) => requestAnimationFrame(done));
          window.log.push("VERSION cleaned");
        };
      },
    };
    """.replace("VERSION", version)


class Subject(anywidget.AnyWidget):
    _esm = code("old")
    _css = ".subject { outline-style: dotted }"
    count = traitlets.Int(0).tag(sync=True)


subject = Subject()
subject.observe(lambda change: print("count is", change["new"]), "count")
subject

Poke("code", lambda: setattr(subject, "_esm", code("new")))

Poke("style", lambda: setattr(subject, "_css", ".subject { outline-style: dashed }"))

Poke("typo", lambda: setattr(subject, "_esm", "export default { render() { throw new Error('a typo') } }"))
