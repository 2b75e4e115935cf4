// Both ends of both pairs. The two models of a pair find each other in `ends`: the first one shown is the source.
const ends = (globalThis.ends ??= {});
const ROWS = 200;
/** Numbers that float32 holds exactly. */
const STEP = 1 / 2 ** 20;

/** Brushes: a mouse event at the source, until the other's listener runs. Returns milliseconds for all of them. */
function brushes({ el, source, target }) {
  // Another tab may have been here.
  let brushed = source.get("selected")?.[0] ?? 0;
  el.addEventListener("mousemove", () => {
    brushed += 1;
    source.set("selected", Array.from({ length: ROWS }, (_, row) => row * 7 + brushed));
    source.save_changes();
  });
  return async (count) => {
    const beginMs = performance.now();
    for (let n = 0; n < count; n += 1) {
      const shown = new Promise((resolve) => {
        const look = () => {
          if (target.get("selected")?.[0] !== brushed) return;
          target.off("change:selected", look);
          resolve();
        };
        target.on("change:selected", look);
      });
      el.dispatchEvent(new MouseEvent("mousemove"));
      await shown;
    }
    return performance.now() - beginMs;
  };
}

/** Paints `count` maps at so many a second, and says when each was painted, and when each that came was seen. */
function paints({ source, target }) {
  const heights = new Float32Array(64 * 64).fill(0.5);
  const numberOf = (view) => Math.round(view.getFloat32(0, true) / STEP);
  let number = numberOf(source.get("heightmap"));
  return async (count, perSecond) => {
    const first = number + 1;
    const painted = [];
    const seen = [];
    const look = () => seen.push([numberOf(target.get("heightmap")), performance.now()]);
    target.on("change:heightmap", look);
    const beginMs = performance.now();
    for (let n = 0; n < count; n += 1) {
      const waitMs = beginMs + (n * 1000) / perSecond - performance.now();
      if (waitMs > 0) await new Promise((later) => setTimeout(later, waitMs));
      number += 1;
      heights[0] = number * STEP;
      painted.push(performance.now());
      source.set("heightmap", heights.slice());
      source.save_changes();
    }
    const goal = number;
    while (seen.at(-1)?.[0] !== goal) await new Promise((later) => setTimeout(later, 1));
    target.off("change:heightmap", look);
    return { painted, seen: seen.map(([at, ms]) => [at - first, ms]) };
  };
}

export default {
  render({ model, el }) {
    el.textContent = "bench";
    const name = model.get("heightmap") ? "heightmap" : "selected";
    if (!ends[name]) {
      ends[name] = { el, source: model };
      return;
    }
    ends[name].target = model;
    if (Object.keys(ends).length < 2 || !Object.values(ends).every(({ target }) => target)) return;
    globalThis.bench = { brushes: brushes(ends.selected), paints: paints(ends.heightmap) };
  },
};
