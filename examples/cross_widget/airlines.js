// A drop-down of airlines: export `selected_airlines`, a list of codes. None chosen means all of them.

function render({ model, el }) {
  const column = model.get("data").columns.find(({ name }) => name === "airline");
  const counts = new Map();
  for (const code of column.values) counts.set(code, (counts.get(code) ?? 0) + 1);
  // Python may name them; without names, codes are shown.
  const names = model.get("names") ?? {};
  el.innerHTML = `
    <section class="linked">
      <details><summary></summary><fieldset></fieldset></details>
    </section>`;
  const [details, summary, choices] = ["details", "summary", "fieldset"].map((name) => el.querySelector(name));
  choices.setAttribute("aria-label", "Airlines");
  const boxes = [...counts].sort().map(([code, count]) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", value: code });
    label.append(box, `${names[code] ?? code} (${count})`);
    choices.append(label);
    box.addEventListener("change", () => {
      model.set("selected_airlines", boxes.filter(({ checked }) => checked).map(({ value }) => value));
      model.save_changes();
    });
    return box;
  });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    details.open = false;
    summary.focus();
  });

  function show() {
    const chosen = model.get("selected_airlines") ?? [];
    for (const box of boxes) box.checked = chosen.includes(box.value);
    summary.textContent = chosen.length ? `Airlines: ${chosen.map((code) => names[code] ?? code).join(", ")}` : "All airlines";
  }
  model.on("change:selected_airlines", show);
  show();
}

export default { render };
