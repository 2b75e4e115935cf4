// Delay against distance, a point for each flight. A brush selects points: export `selected_indices`.

const MARGIN = { left: 46, right: 12, top: 10, bottom: 34 };

/** A column of numbers. Copied, since a part of a message may begin anywhere, and a typed array may not. */
function numbers(data, name) {
  const { dtype, values } = data.columns.find((column) => column.name === name);
  const { buffer, byteOffset, byteLength } = values;
  const Typed = { float32: Float32Array, float64: Float64Array, int16: Int16Array, int32: Int32Array }[dtype];
  return new Typed(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** About so many round numbers between two. */
function ticks(low, high, about) {
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((times) => times * power >= raw) * power;
  const found = [];
  for (let number = Math.ceil(low / step); number * step <= high; number += 1) found.push(number * step + 0);
  return found;
}

function render({ model, el, signal }) {
  el.innerHTML = `
    <section class="linked">
      <header><strong>Delay against distance</strong><output></output></header>
      <canvas class="plot" tabindex="0" role="application"
        aria-label="Scatter plot. Arrow keys move the brush, with Shift they size it, Escape takes it away."></canvas>
      <p class="hint">Drag a brush over the points, drag it along, click beside it to end it. With the keyboard: arrows,
        Shift+arrows, Escape.</p>
    </section>`;
  const [card, canvas, count] = ["section", "canvas", "output"].map((name) => el.querySelector(name));
  const pen = canvas.getContext("2d");
  let distance, delay, x, y;
  /** The brush in data units, or null. */
  let brush = null;
  let isOurs = false;
  let frame = 0;

  function read() {
    [distance, delay] = ["distance", "delay"].map((name) => numbers(model.get("data"), name));
    const ends = (values) => [Math.min(0, ...values), Math.max(...values) * 1.03];
    [x, y] = [{ ends: ends(distance) }, { ends: ends(delay) }];
  }

  /** Fit the scales to the canvas as it is. */
  function measure() {
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = (axis, from, to) => {
      const [low, high] = axis.ends;
      axis.to = (value) => from + ((value - low) / (high - low)) * (to - from);
      axis.back = (pixel) => low + ((pixel - from) / (to - from)) * (high - low);
    };
    scale(x, MARGIN.left, width - MARGIN.right);
    scale(y, height - MARGIN.bottom, MARGIN.top);
    return { width, height };
  }

  function draw() {
    const { width, height } = measure();
    if (width === 0) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    pen.scale(ratio, ratio);
    const style = getComputedStyle(card);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = color("quiet");
    pen.strokeStyle = color("line");
    pen.textAlign = "center";
    for (const tick of ticks(...x.ends, 8)) {
      pen.fillText(tick.toLocaleString("en"), x.to(tick), height - MARGIN.bottom + 15);
    }
    pen.fillText("distance, km", (MARGIN.left + width - MARGIN.right) / 2, height - 4);
    pen.textAlign = "right";
    for (const tick of ticks(...y.ends, 5)) {
      pen.fillText(tick.toLocaleString("en"), MARGIN.left - 6, y.to(tick) + 4);
      pen.beginPath();
      pen.moveTo(MARGIN.left, y.to(tick));
      pen.lineTo(width - MARGIN.right, y.to(tick));
      pen.stroke();
    }
    pen.save();
    pen.translate(11, (MARGIN.top + height - MARGIN.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillText("delay, minutes", 0, 0);
    pen.restore();

    const selected = model.get("selected_indices") ?? [];
    const dot = (row, radius) => {
      pen.beginPath();
      pen.arc(x.to(distance[row]), y.to(delay[row]), radius, 0, 7);
      pen.fill();
    };
    pen.globalAlpha = selected.length ? 0.8 : 0.55;
    pen.fillStyle = color(selected.length ? "dim" : "mark");
    for (let row = 0; row < distance.length; row += 1) dot(row, 2.2);
    pen.globalAlpha = 0.9;
    pen.fillStyle = color("picked");
    for (const row of selected) dot(row, 2.8);
    pen.globalAlpha = 1;
    if (brush) {
      const [left, top] = [x.to(brush.x0), y.to(brush.y1)];
      const [wide, high] = [x.to(brush.x1) - left, y.to(brush.y0) - top];
      pen.strokeStyle = color("picked");
      pen.setLineDash([5, 3]);
      pen.strokeRect(left, top, wide, high);
      pen.globalAlpha = 0.08;
      pen.fillStyle = color("picked");
      pen.fillRect(left, top, wide, high);
    }
    count.textContent = selected.length
      ? `${selected.length.toLocaleString("en")} of ${distance.length.toLocaleString("en")} selected`
      : `${distance.length.toLocaleString("en")} flights`;
  }

  function drawSoon() {
    if (!frame) {
      frame = requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    }
  }

  /** Select what the brush covers. The mouse may move more often than the screen shows: the caller comes once a frame. */
  function select() {
    const rows = [];
    if (brush) {
      for (let row = 0; row < distance.length; row += 1) {
        const inside = distance[row] >= brush.x0 && distance[row] <= brush.x1;
        if (inside && delay[row] >= brush.y0 && delay[row] <= brush.y1) rows.push(row);
      }
    }
    isOurs = true;
    model.set("selected_indices", rows);
    isOurs = false;
    model.save_changes();
    drawSoon();
  }

  let waiting = 0;
  function selectSoon() {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      select();
    });
  }

  function span(from, to) {
    const inside = (axis, value) => Math.min(axis.ends[1], Math.max(axis.ends[0], value));
    const [xs, ys] = [[from[0], to[0]], [from[1], to[1]]];
    return {
      x0: inside(x, Math.min(...xs)),
      x1: inside(x, Math.max(...xs)),
      y0: inside(y, Math.min(...ys)),
      y1: inside(y, Math.max(...ys)),
    };
  }

  function move(from, dx, dy) {
    const put = (axis, low, high, by) => Math.min(axis.ends[1] - high, Math.max(axis.ends[0] - low, by));
    const [right, up] = [put(x, from.x0, from.x1, dx), put(y, from.y0, from.y1, dy)];
    return { x0: from.x0 + right, x1: from.x1 + right, y0: from.y0 + up, y1: from.y1 + up };
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [x.back(event.clientX - box.left), y.back(event.clientY - box.top)];
  };
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    measure();
    const at = place(event);
    const isInside = brush && at[0] >= brush.x0 && at[0] <= brush.x1 && at[1] >= brush.y0 && at[1] <= brush.y1;
    held = { at, brush: isInside ? brush : null };
    canvas.setPointerCapture(event.pointerId);
    if (!isInside) {
      brush = null;
      selectSoon();
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const at = place(event);
    brush = held.brush ? move(held.brush, at[0] - held.at[0], at[1] - held.at[1]) : span(held.at, at);
    selectSoon();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; });

  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.key === "Escape") brush = null;
    else if (!way) return;
    else {
      const [wide, high] = [x, y].map(({ ends }) => (ends[1] - ends[0]) / 40);
      const [dx, dy] = [way[0] * wide, way[1] * high];
      if (!brush) brush = span([x.ends[0], y.ends[0]], [x.ends[0] + 10 * wide, y.ends[0] + 10 * high]);
      else if (!event.shiftKey) brush = move(brush, dx, dy);
      else {
        brush = span([brush.x0, brush.y0], [Math.max(brush.x0 + wide, brush.x1 + dx), Math.max(brush.y0 + high, brush.y1 + dy)]);
      }
    }
    event.preventDefault();
    selectSoon();
  });

  model.on("change:selected_indices", () => {
    // Somebody else's selection is not what our brush covers.
    if (!isOurs) brush = null;
    drawSoon();
  });
  model.on("change:data", () => {
    read();
    drawSoon();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon, { signal });
  const resized = new ResizeObserver(drawSoon);
  resized.observe(canvas);
  read();
  return () => {
    resized.disconnect();
    cancelAnimationFrame(frame);
    cancelAnimationFrame(waiting);
  };
}

export default { render };
