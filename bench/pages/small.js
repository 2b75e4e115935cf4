// Counts what is rendered; `performance.now()` counts from the start of the navigation.
globalThis.renderedMs ??= [];

export default {
  render({ model, el }) {
    const input = document.createElement("input");
    input.type = "range";
    const show = () => { input.value = String(model.get("value")); };
    input.oninput = () => {
      model.set("value", Number(input.value));
      model.save_changes();
    };
    model.on("change:value", show);
    show();
    const label = document.createElement("label");
    label.append(model.get("label"), input);
    el.append(label);
    globalThis.renderedMs.push(performance.now());
  },
};
