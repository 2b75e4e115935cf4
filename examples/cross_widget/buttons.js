// Buttons of Python's: import `labels`; which was pressed is a message.

function render({ model, el }) {
  const row = document.createElement("div");
  row.className = "linked asks row";
  for (const label of model.get("labels")) {
    const button = document.createElement("button");
    button.textContent = label;
    button.addEventListener("click", () => model.send({ pressed: label }));
    row.append(button);
  }
  el.append(row);
}

export default { render };
