import anywidget
import traitlets


class Clicks(anywidget.AnyWidget):
    _esm = """
    export default {
      render({ model, el }) {
        const button = document.createElement("button");
        button.className = "clicks";
        const label = () => { button.textContent = `Clicked ${model.get("value")} times`; };
        button.onclick = () => {
          model.set("value", model.get("value") + 1);
          model.save_changes();
        };
        model.on("change:value", label);
        label();
        el.appendChild(button);
      },
    };
    """
    value = traitlets.Int(0).tag(sync=True)

    @traitlets.observe("value")
    def _report(self, change):
        print(f"Python saw value change: {change['old']} → {change['new']}")


clicks = Clicks()
clicks
