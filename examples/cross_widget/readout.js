// A line of text that Python wrote: import `text`.

function render({ model, el }) {
  el.innerHTML = `<p class="linked says"><b>Python</b><output></output></p>`;
  const line = el.querySelector("output");
  const show = () => { line.textContent = model.get("text"); };
  model.on("change:text", show);
  show();
}

export default { render };
