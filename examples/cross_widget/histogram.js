// How many flights were how late: all of them, and those of the import `selected_indices`. A click at a bar selects its
// flights, which whoever exports the selection shows as well.

const MOST_BINS = 32;
const [WIDTH, HEIGHT, FOOT] = [800, 170, 20];

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
      <header><strong>How late they were</strong><output></output></header>
      <svg class="bars" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="group" aria-label="Histogram of delays"></svg>
      <p class="hint">Minutes of delay. Click a bar to select its flights. With the keyboard: arrows, Enter.</p>
    </section>`;
  const [svg, count] = ["svg", "output"].map((name) => el.querySelector(name));
  let delay, low, step, size, bins;

  const binOf = (row) => Math.min(size - 1, Math.floor((delay[row] - low) / step));

  function tally(rows) {
    const found = new Array(size).fill(0);
    for (const row of rows) found[binOf(row)] += 1;
    return found;
  }

  function read() {
    delay = numbers(model.get("data"), "delay");
    const [least, most] = [Math.min(...delay), Math.max(...delay)];
    step = [1, 2, 5, 10, 20, 50, 100].find((minutes) => (most - least) / minutes <= MOST_BINS) ?? 200;
    low = Math.floor(least / step) * step;
    size = Math.floor((most - low) / step) + 1;
    const all = tally(delay.keys());
    const wide = WIDTH / size;
    const highest = Math.max(...all);
    // The square root shows the few that were very late beside the many that were not.
    const high = (value) => Math.sqrt(value / highest) * (HEIGHT - FOOT - 4);
    svg.innerHTML = all.map((value, bin) => `
      <g class="bin" tabindex="${bin ? -1 : 0}" role="button">
        <rect x="${bin * wide}" width="${wide}" y="0" height="${HEIGHT - FOOT}" fill="transparent"/>
        <rect class="all" x="${bin * wide + 1}" width="${wide - 2}" y="${HEIGHT - FOOT - high(value)}" height="${high(value)}" rx="2"/>
        <rect class="some" x="${bin * wide + 1}" width="${wide - 2}" rx="2"/>
        ${bin % 4 ? "" : `<text x="${bin * wide}" y="${HEIGHT - 4}">${low + bin * step}</text>`}
      </g>`).join("");
    bins = [...svg.querySelectorAll(".bin")].map((bin, number) => {
      const pick = () => {
        const rows = [...delay.keys()].filter((row) => binOf(row) === number);
        model.set("selected_indices", rows);
        model.save_changes();
      };
      bin.addEventListener("click", pick);
      // One stop of the Tab key for all bars; arrows go from one to the next.
      bin.addEventListener("keydown", (event) => {
        const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (way) {
          const next = bins[Math.min(size - 1, Math.max(0, number + way))].bin;
          bin.setAttribute("tabindex", "-1");
          next.setAttribute("tabindex", "0");
          next.focus();
        } else if (event.key === "Enter" || event.key === " ") pick();
        else return;
        event.preventDefault();
      });
      return { bin, some: bin.querySelector(".some"), all: all[number], high };
    });
  }

  function draw() {
    const selected = model.get("selected_indices") ?? [];
    const shown = selected.length ? tally(selected) : bins.map(({ all }) => all);
    svg.classList.toggle("is-brushed", selected.length > 0);
    bins.forEach(({ bin, some, all, high }, number) => {
      some.setAttribute("y", HEIGHT - FOOT - high(shown[number]));
      some.setAttribute("height", high(shown[number]));
      bin.dataset.count = shown[number];
      const [from, to] = [low + number * step, low + (number + 1) * step];
      bin.setAttribute("aria-label", `${from} to ${to} minutes: ${shown[number]} of ${all}`);
    });
    const total = delay.length.toLocaleString("en");
    count.textContent = selected.length ? `${selected.length.toLocaleString("en")} of ${total} flights` : `${total} flights`;
  }

  model.on("change:selected_indices", draw);
  model.on("change:data", () => {
    read();
    draw();
  });
  read();
  draw();
}

export default { render };
