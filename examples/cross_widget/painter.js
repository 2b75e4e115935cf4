// A map of heights to paint: export `heightmap`, SIZE × SIZE float32 from 0 to 1, row by row, as bytes.

const SIZE = 64;
const WATER = 0.3;

/** What the trait holds, as numbers. Copied, since a part of a message may begin anywhere. */
function heightsOf(value) {
  const { buffer, byteOffset, byteLength } = value;
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** Height to colour, on the way from deep water to snow. */
const RAMP = [
  [0, [20, 52, 96]], [0.27, [56, 130, 180]], [0.3, [126, 190, 214]], [0.31, [226, 208, 152]], [0.4, [120, 168, 84]],
  [0.6, [62, 112, 60]], [0.78, [122, 108, 96]], [0.92, [240, 244, 248]], [1.01, [255, 255, 255]],
];

function colorOf(height) {
  const upper = RAMP.findIndex(([at]) => at > height);
  const [[from, low], [to, high]] = [RAMP[upper - 1], RAMP[upper]];
  const share = (height - from) / (to - from);
  return low.map((value, channel) => value + (high[channel] - value) * share);
}

function render({ model, el, signal }) {
  el.innerHTML = `
    <section class="linked">
      <header><strong>Paint a landscape</strong><output></output></header>
      <div class="beside">
        <canvas class="ground" width="${SIZE * 4}" height="${SIZE * 4}" tabindex="0" role="application"
          aria-label="Map of heights. Arrow keys move the brush, Space raises the ground, Shift and Space lowers it."></canvas>
        <div>
          <div class="row" style="margin-bottom: .8rem">
            <button aria-pressed="true" data-way="1">Raise</button><button aria-pressed="false" data-way="-1">Lower</button>
          </div>
          <label>Brush <input class="brush" type="range" min="3" max="16" value="8"></label>
          <label>Strength <input class="force" type="range" min="1" max="10" value="5"></label>
          <p class="hint">Drag over the map; with Shift it does the opposite. With the keyboard: arrows and Space.</p>
        </div>
      </div>
    </section>`;
  const [canvas, out, brush, force] = [".ground", "output", ".brush", ".force"].map((name) => el.querySelector(name));
  const pen = canvas.getContext("2d");
  const small = new OffscreenCanvas(SIZE, SIZE);
  const picture = new ImageData(SIZE, SIZE);
  const spot = { x: SIZE / 2, y: SIZE / 2, isShown: false };
  let heights = heightsOf(model.get("heightmap"));
  let [way, held, frame, isOurs] = [1, null, 0, false];

  function draw() {
    const at = (x, y) => heights[Math.min(SIZE - 1, Math.max(0, y)) * SIZE + Math.min(SIZE - 1, Math.max(0, x))];
    for (let y = 0; y < SIZE; y += 1) {
      for (let x = 0; x < SIZE; x += 1) {
        const height = at(x, y);
        const slope = height < WATER ? 0 : at(x - 1, y - 1) - at(x + 1, y + 1);
        const light = Math.min(1.35, Math.max(0.55, 1 - slope * 2.4));
        picture.data.set([...colorOf(height).map((value) => value * light), 255], (y * SIZE + x) * 4);
      }
    }
    small.getContext("2d").putImageData(picture, 0, 0);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    if (spot.isShown) {
      pen.beginPath();
      pen.arc(spot.x * 4, spot.y * 4, Number(brush.value) * 4, 0, 7);
      pen.strokeStyle = "#ffffffcc";
      pen.lineWidth = 1.5;
      pen.stroke();
    }
    out.textContent = `highest ${Math.max(...heights).toFixed(2)}`;
  }

  /** Raise or lower what is under the brush, most in its middle, at each of these places. */
  function paint(direction, amount, places) {
    const radius = Number(brush.value);
    const next = heights.slice();
    for (const at of places) {
      for (let y = Math.max(0, Math.floor(at.y - radius)); y < Math.min(SIZE, at.y + radius); y += 1) {
        for (let x = Math.max(0, Math.floor(at.x - radius)); x < Math.min(SIZE, at.x + radius); x += 1) {
          const near = 1 - ((x + 0.5 - at.x) ** 2 + (y + 0.5 - at.y) ** 2) / radius ** 2;
          if (near <= 0) continue;
          const height = next[y * SIZE + x] + direction * amount * near ** 2;
          next[y * SIZE + x] = Math.min(1, Math.max(0, height));
        }
      }
    }
    heights = next;
    isOurs = true;
    model.set("heightmap", heights);
    isOurs = false;
    model.save_changes();
  }

  /** Places on the way to the brush from where it was: a quick stroke leaves no gaps. */
  function stroke(from) {
    const [width, height] = [spot.x - from.x, spot.y - from.y];
    const steps = Math.floor((4 * Math.hypot(width, height)) / Number(brush.value));
    const places = Array.from({ length: steps }, (_, at) => ({
      x: from.x + (width * (at + 1)) / steps,
      y: from.y + (height * (at + 1)) / steps,
    }));
    return steps > 0 ? places : [{ ...spot }];
  }

  /** Once per frame of the screen at most, however often the mouse moves; as long as the button is down. */
  function tick() {
    frame = 0;
    if (held) {
      paint(held.direction, Number(force.value) * 0.008, [...held.places, ...stroke(held.last)]);
      Object.assign(held, { places: [], last: { ...spot } });
      drawSoon();
    }
    draw();
  }

  function drawSoon() {
    frame ||= requestAnimationFrame(tick);
  }

  function put(event) {
    const box = canvas.getBoundingClientRect();
    spot.x = ((event.clientX - box.left) / box.width) * SIZE;
    spot.y = ((event.clientY - box.top) / box.height) * SIZE;
    spot.isShown = true;
    if (held) {
      held.places.push(...stroke(held.last));
      held.last = { ...spot };
    }
    drawSoon();
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    put(event);
    held = { direction: event.shiftKey ? -way : way, last: { ...spot }, places: [] };
  });
  canvas.addEventListener("pointermove", put);
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      // A click may be over before the next frame.
      if (held && frame) {
        cancelAnimationFrame(frame);
        tick();
      }
      held = null;
    });
  }
  canvas.addEventListener("pointerleave", () => {
    spot.isShown = false;
    drawSoon();
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === " ") paint(event.shiftKey ? -way : way, Number(force.value) * 0.02, [spot]);
    else if (!step) return;
    else {
      spot.x = Math.min(SIZE, Math.max(0, spot.x + 2 * step[0]));
      spot.y = Math.min(SIZE, Math.max(0, spot.y + 2 * step[1]));
    }
    spot.isShown = true;
    event.preventDefault();
    drawSoon();
  });
  canvas.addEventListener("blur", () => {
    spot.isShown = false;
    drawSoon();
  });
  const ways = el.querySelectorAll("[data-way]");
  for (const button of ways) {
    button.addEventListener("click", () => {
      way = Number(button.dataset.way);
      for (const one of ways) one.setAttribute("aria-pressed", String(one === button));
    });
  }
  model.on("change:heightmap", () => {
    if (isOurs) return;
    heights = heightsOf(model.get("heightmap"));
    drawSoon();
  });
  signal.addEventListener("abort", () => cancelAnimationFrame(frame));
  draw();
}

export default { render };
