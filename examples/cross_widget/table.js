// The flights that pass two filters: imports `selected_indices` and `selected_airlines`. An empty filter lets all pass.

const MOST = 200;

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
      <header><strong>Flights that pass both</strong><output></output></header>
      <div class="rows" tabindex="0" role="region" aria-label="Flights">
        <table>
          <thead><tr><th>Flight</th><th>Airline</th><th>Distance, km</th><th>Delay, minutes</th></tr></thead>
          <tbody></tbody>
        </table>
      </div>
      <p class="hint"></p>
    </section>`;
  const [body, out, hint] = ["tbody", "output", ".hint"].map((name) => el.querySelector(name));
  const data = model.get("data");
  const [flights, airlines] = ["flight", "airline"].map((name) => data.columns.find((column) => column.name === name).values);
  const [distance, delay] = ["distance", "delay"].map((name) => numbers(data, name));

  function draw() {
    const chosen = new Set(model.get("selected_airlines") ?? []);
    const selected = model.get("selected_indices") ?? [];
    const rows = (selected.length ? selected : [...flights.keys()]).filter(
      (row) => chosen.size === 0 || chosen.has(airlines[row]),
    );
    rows.sort((one, other) => delay[other] - delay[one]);
    body.replaceChildren(...rows.slice(0, MOST).map((row) => {
      const line = document.createElement("tr");
      for (const text of [flights[row], airlines[row], Math.round(distance[row]), Math.round(delay[row])]) {
        line.insertCell().textContent = text.toLocaleString("en");
      }
      return line;
    }));
    out.textContent = `${rows.length.toLocaleString("en")} of ${flights.length.toLocaleString("en")} flights`;
    hint.textContent = rows.length > MOST ? `The ${MOST} latest are listed.` : "The latest are first.";
  }

  // A change of both filters at once is drawn once.
  let frame = 0;
  const drawSoon = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw();
    });
  };
  model.on("change:selected_indices", drawSoon);
  model.on("change:selected_airlines", drawSoon);
  draw();
  return () => cancelAnimationFrame(frame);
}

export default { render };
