// Both ends of both pairs, and a widget by itself whose Python answers. The two models of a pair find each other in `ends`:
// the first one shown is the source.
const ends = (globalThis.ends ??= {});
const ROWS = 200;
/** Numbers that float32 holds exactly. */
const STEP = 1 / 2 ** 20;

/** Brushes: a mouse event at the source, until the target's listener runs. Returns milliseconds for all of them. */
function brushes({ el, source, target, set, shown }) {
  // Another tab may have been here.
  let brushed = source.get(set)?.[0] ?? 0;
  el.addEventListener("mousemove", () => {
    brushed += 1;
    source.set(set, Array.from({ length: ROWS }, (_, row) => row * 7 + brushed));
    source.save_changes();
  });
  return async (count) => {
    const beginMs = performance.now();
    for (let n = 0; n < count; n += 1) {
      const followed = new Promise((resolve) => {
        const look = () => {
          if (target.get(shown)?.[0] !== brushed) return;
          target.off(`change:${shown}`, look);
          resolve();
        };
        target.on(`change:${shown}`, look);
      });
      el.dispatchEvent(new MouseEvent("mousemove"));
      await followed;
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
    if (model.get("answered") !== undefined) ends.asked = { el, source: model, target: model };
    else {
      const name = model.get("heightmap") ? "heightmap" : "selected";
      if (ends[name]) ends[name].target = model;
      else ends[name] = { el, source: model };
    }
    if (Object.values(ends).filter(({ target }) => target).length < 3) return;
    globalThis.bench = {
      brushes: brushes({ ...ends.selected, set: "selected", shown: "selected" }),
      answers: brushes({ ...ends.asked, set: "asked", shown: "answered" }),
      paints: paints(ends.heightmap),
    };
  },
};
