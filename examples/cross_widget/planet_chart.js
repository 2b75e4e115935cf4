// Bars for the planets, one of their properties at a time. The picked one stands out: import `selected_planet`. A click at
// a bar picks its planet.

const PROPERTIES = {
  diameter_km: ["Diameter", "km"], gravity: ["Gravity", "m/s²"], distance_au: ["Distance from the sun", "au"],
  year_days: ["Length of a year", "days"],
};

/** A column of numbers. Copied, since a part of a message may begin anywhere, and a typed array may not. */
function numbers(data, name) {
  const { dtype, values } = data.columns.find((column) => column.name === name);
  const { buffer, byteOffset, byteLength } = values;
  const Typed = { float32: Float32Array, float64: Float64Array, int16: Int16Array, int32: Int32Array }[dtype];
  return new Typed(buffer.slice(byteOffset, byteOffset + byteLength));
}

function render({ model, el }) {
  el.innerHTML = `
    <section class="linked">
      <header>
        <strong>Planets by</strong>
        <select aria-label="Property">
          ${Object.entries(PROPERTIES).map(([name, [title]]) => `<option value="${name}">${title}</option>`).join("")}
        </select>
        <output></output>
      </header>
      <div class="chart"></div>
    </section>`;
  const [chart, select, out] = [".chart", "select", "output"].map((name) => el.querySelector(name));
  const names = model.get("data").columns.find((column) => column.name === "name").values;
  const bars = names.map((name) => {
    const bar = document.createElement("button");
    bar.dataset.planet = name;
    bar.innerHTML = "<span></span><i></i><span></span>";
    bar.firstChild.textContent = name;
    bar.addEventListener("click", () => {
      model.set("selected_planet", name);
      model.save_changes();
    });
    chart.append(bar);
    return bar;
  });

  function draw() {
    const values = numbers(model.get("data"), select.value);
    const unit = PROPERTIES[select.value][1];
    const picked = model.get("selected_planet");
    const most = Math.max(...values);
    bars.forEach((bar, number) => {
      bar.setAttribute("aria-pressed", String(names[number] === picked));
      bar.children[1].style.width = `${(100 * values[number]) / most}%`;
      bar.lastChild.textContent = `${values[number].toLocaleString("en", { maximumSignificantDigits: 6 })} ${unit}`;
    });
    const rank = [...values].sort((one, other) => other - one).indexOf(values[names.indexOf(picked)]) + 1;
    out.textContent = rank ? `${picked} is number ${rank} of ${names.length}` : "";
  }
  select.addEventListener("change", draw);
  model.on("change:selected_planet", draw);
  draw();
}

export default { render };
