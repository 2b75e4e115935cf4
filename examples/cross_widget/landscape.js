// A landscape in three dimensions, with water, sun and sides: import `heightmap`, SIZE × SIZE float32 from 0 to 1 as bytes.
//
// Two programs of WebGL: the ground, whose heights and normals are written anew with each map, and the water, a square.
// A frame is drawn when something changed, and only then.

const SIZE = 64;
const WATER = 0.3;
const LIFT = 0.55;
/** How far the sides reach down. */
const BASE = -0.12;

const GROUND = {
  vertex: `
    attribute vec2 place; attribute float height; attribute vec3 normal;
    uniform mat4 view; varying vec3 facing; varying float level;
    void main() {
      facing = normal;
      level = height;
      gl_Position = view * vec4(place.x, height * ${LIFT.toFixed(2)}, place.y, 1.0);
    }`,
  fragment: `
    precision mediump float;
    varying vec3 facing; varying float level;
    void main() {
      vec3 color = mix(vec3(.30, .36, .34), vec3(.87, .80, .58), smoothstep(.05, .29, level));
      color = mix(color, vec3(.44, .62, .30), smoothstep(.31, .37, level));
      color = mix(color, vec3(.22, .42, .22), smoothstep(.42, .60, level));
      color = mix(color, vec3(.48, .42, .38), smoothstep(.62, .76, level));
      color = mix(color, vec3(.97, .98, 1.0), smoothstep(.82, .90, level));
      float sun = max(0.0, dot(normalize(facing + vec3(0, .001, 0)), normalize(vec3(-.55, .75, -.35))));
      // The sides have no normal. What is in its place is how high the ground is there; above it is water.
      vec3 side = mix(vec3(.36, .30, .26), vec3(.15, .38, .56), step(facing.x, level));
      gl_FragColor = vec4(mix(color * (.38 + .85 * sun), side, step(facing.y, .5)), 1.0);
    }`,
};
const SEA = {
  vertex: `
    attribute vec2 place; uniform mat4 view; varying vec2 at;
    void main() { at = place; gl_Position = view * vec4(place.x, ${(WATER * LIFT).toFixed(4)}, place.y, 1.0); }`,
  fragment: `
    precision mediump float;
    varying vec2 at;
    void main() {
      float ripple = .5 + .5 * sin(46.0 * at.x + 9.0 * sin(7.0 * at.y)) * sin(38.0 * at.y + 8.0 * sin(6.0 * at.x));
      gl_FragColor = vec4(vec3(.13, .42, .62) + .04 * ripple, .72);
    }`,
};

/** What the trait holds, as numbers. Copied, since a part of a message may begin anywhere. */
function heightsOf(value) {
  const { buffer, byteOffset, byteLength } = value;
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** The vertices of the ground: SIZE × SIZE of the top, then those of the sides, in pairs of upper and lower. */
function mesh() {
  const at = (step) => (step / (SIZE - 1)) * 2 - 1;
  const places = [];
  const triangles = [];
  /** Under or over which point of the map each vertex is. */
  const sources = [];
  for (let y = 0; y < SIZE; y += 1) {
    for (let x = 0; x < SIZE; x += 1) {
      sources.push(y * SIZE + x);
      places.push(at(x), at(y));
      if (x === SIZE - 1 || y === SIZE - 1) continue;
      const corner = y * SIZE + x;
      triangles.push(corner, corner + SIZE, corner + 1, corner + 1, corner + SIZE, corner + SIZE + 1);
    }
  }
  const last = SIZE - 1;
  const sides = [(step) => [step, 0], (step) => [last, step], (step) => [last - step, last], (step) => [0, last - step]];
  for (const side of sides) {
    for (let step = 0; step < SIZE; step += 1) {
      const [x, y] = side(step);
      const first = sources.length;
      sources.push(y * SIZE + x, y * SIZE + x);
      places.push(at(x), at(y), at(x), at(y));
      if (step < last) triangles.push(first, first + 1, first + 2, first + 2, first + 1, first + 3);
    }
  }
  return { places: new Float32Array(places), triangles: new Uint16Array(triangles), sources };
}

/** Column by column, as WebGL wants it: a camera that looks at the middle from an angle, a height and a distance. */
function cameraOf({ angle, rise, far }, aspect) {
  const [sin, cos, up, flat] = [Math.sin(angle), Math.cos(angle), Math.sin(rise), Math.cos(rise)];
  const right = [cos, 0, -sin];
  const top = [-sin * up, flat, -cos * up];
  const back = [sin * flat, up, cos * flat];
  const [zoom, near, end] = [2.1, 0.1, 20];
  const depth = (end + near) / (near - end);
  // The middle is a little below the water.
  const offset = [right, top, back].map((axis) => axis[1] * 0.1);
  const rows = [
    [...right.map((value) => (value * zoom) / aspect), (offset[0] * zoom) / aspect],
    [...top.map((value) => value * zoom), offset[1] * zoom],
    [...back.map((value) => value * depth), (offset[2] - far) * depth + (2 * end * near) / (near - end)],
    [...back.map((value) => -value), far - offset[2]],
  ];
  return new Float32Array([0, 1, 2, 3].flatMap((column) => rows.map((row) => row[column])));
}

function link(gl, { vertex, fragment }) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program));
  return program;
}

/** Returns a function that draws: heights if they are new, and from where. */
function prepare(gl) {
  const { places, triangles, sources } = mesh();
  const [ground, sea] = [link(gl, GROUND), link(gl, SEA)];
  const buffer = (data, target = gl.ARRAY_BUFFER, use = gl.STATIC_DRAW) => {
    const made = gl.createBuffer();
    gl.bindBuffer(target, made);
    gl.bufferData(target, data, use);
    return made;
  };
  const levels = new Float32Array(sources.length);
  const normals = new Float32Array(sources.length * 3);
  const buffers = {
    place: buffer(places),
    height: buffer(levels, gl.ARRAY_BUFFER, gl.DYNAMIC_DRAW),
    normal: buffer(normals, gl.ARRAY_BUFFER, gl.DYNAMIC_DRAW),
    square: buffer(new Float32Array([-1, -1, -1, 1, 1, -1, 1, 1])),
    triangles: buffer(triangles, gl.ELEMENT_ARRAY_BUFFER),
  };
  gl.enable(gl.DEPTH_TEST);
  gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  gl.clearColor(0, 0, 0, 0);

  const use = (program, view, attributes) => {
    gl.useProgram(program);
    gl.uniformMatrix4fv(gl.getUniformLocation(program, "view"), false, view);
    for (const [name, from, size] of attributes) {
      const at = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, from);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, gl.FLOAT, false, 0, 0);
    }
  };

  function fill(heights) {
    levels.set(heights);
    for (let upper = SIZE * SIZE; upper < sources.length; upper += 2) {
      const ground = heights[sources[upper]];
      levels.set([Math.max(ground, WATER), BASE], upper);
      normals.set([ground, 0, 0, ground, 0, 0], upper * 3);
    }
    const at = (x, y) => heights[Math.min(SIZE - 1, Math.max(0, y)) * SIZE + Math.min(SIZE - 1, Math.max(0, x))] * LIFT;
    const steep = (SIZE - 1) / 4;
    for (let y = 0; y < SIZE; y += 1) {
      for (let x = 0; x < SIZE; x += 1) {
        const first = (y * SIZE + x) * 3;
        normals[first] = (at(x - 1, y) - at(x + 1, y)) * steep;
        normals[first + 1] = 1;
        normals[first + 2] = (at(x, y - 1) - at(x, y + 1)) * steep;
      }
    }
    for (const [name, data] of [["height", levels], ["normal", normals]]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, data);
    }
  }

  return (heights, from) => {
    if (heights) fill(heights);
    const { width, height } = gl.canvas;
    const view = cameraOf(from, width / height);
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    use(ground, view, [["place", buffers.place, 2], ["height", buffers.height, 1], ["normal", buffers.normal, 3]]);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.triangles);
    gl.drawElements(gl.TRIANGLES, triangles.length, gl.UNSIGNED_SHORT, 0);
    gl.enable(gl.BLEND);
    use(sea, view, [["place", buffers.square, 2]]);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.disable(gl.BLEND);
  };
}

function render({ model, el }) {
  el.innerHTML = `
    <section class="linked">
      <header><strong>The landscape</strong><output></output></header>
      <canvas class="scene" tabindex="0" role="application"
        aria-label="Landscape in three dimensions. Arrow keys turn it, plus and minus bring it nearer and farther."></canvas>
      <p class="hint">Drag to turn it. With the keyboard: arrows, + and −.</p>
    </section>`;
  const canvas = el.querySelector("canvas");
  // Kept after each frame, so that it can be copied out of the page.
  const gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
  if (gl === null) {
    const sorry = document.createElement("p");
    sorry.className = "sorry";
    sorry.textContent = "This browser has no WebGL here, so there is nothing to see in three dimensions. The map is still live.";
    canvas.replaceWith(sorry);
    el.querySelector(".hint").remove();
    return;
  }
  const from = { angle: 0.6, rise: 0.55, far: 2.85 };
  let [drawn, frame, isNew, frames, held] = [prepare(gl), 0, true, 0, null];

  function draw() {
    frame = 0;
    const ratio = Math.min(2, devicePixelRatio || 1);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((value) => Math.max(1, Math.round(value * ratio)));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    drawn(isNew ? heightsOf(model.get("heightmap")) : null, from);
    isNew = false;
    frames += 1;
    canvas.dataset.frames = frames;
  }
  function drawSoon() {
    if (!gl.isContextLost()) frame ||= requestAnimationFrame(draw);
  }
  function turn(angle, rise) {
    from.angle += angle;
    from.rise = Math.min(1.45, Math.max(0.12, from.rise + rise));
    drawSoon();
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    turn((held[0] - event.clientX) * 0.008, (event.clientY - held[1]) * 0.006);
    held = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; });
  canvas.addEventListener("keydown", (event) => {
    const turns = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.08], ArrowDown: [0, -0.08] }[event.key];
    const zoom = { "+": 0.92, "=": 0.92, "-": 1.08 }[event.key];
    if (event.ctrlKey || event.metaKey || !(turns || zoom)) return;
    event.preventDefault();
    if (zoom) from.far = Math.min(7, Math.max(2.2, from.far * zoom));
    turn(...(turns ?? [0, 0]));
  });
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", () => {
    drawn = prepare(gl);
    isNew = true;
    drawSoon();
  });
  model.on("change:heightmap", () => {
    isNew = true;
    drawSoon();
  });
  const resized = new ResizeObserver(drawSoon);
  resized.observe(canvas);
  return () => {
    resized.disconnect();
    cancelAnimationFrame(frame);
    // Browsers have few of these.
    gl.getExtension("WEBGL_lose_context")?.loseContext();
  };
}

export default { render };
