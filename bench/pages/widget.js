// The same subjects as bare.html, through a widget. Each function returns milliseconds.
export default {
  render({ model, el }) {
    el.textContent = "bench";
    // Another tab may have been here.
    let last = Math.max(model.get("ping"), model.get("upload_seen")[0], model.get("download_wanted")[0]);

    function until(property, isLast) {
      return new Promise((resolve) => {
        const look = () => {
          if (!isLast(model.get(property))) return;
          model.off(`change:${property}`, look);
          resolve();
        };
        model.on(`change:${property}`, look);
      });
    }

    function set(property, value) {
      model.set(property, value);
      model.save_changes();
    }

    async function trip() {
      last += 1;
      const n = last;
      const pong = until("pong", (value) => value === n);
      set("ping", n);
      await pong;
    }

    globalThis.bench = {
      async trips(count) {
        const beginMs = performance.now();
        for (let n = 0; n < count; n += 1) await trip();
        return performance.now() - beginMs;
      },
      async stream(count) {
        const goal = model.get("counter") + count;
        const beginMs = performance.now();
        const shown = until("counter", (value) => value === goal);
        set("stream_to", goal);
        await shown;
        const tookMs = performance.now() - beginMs;
        // What is sent after it comes after it: had an older value been on its way, it would be here now.
        await trip();
        if (model.get("counter") !== goal) throw new Error(`ended on ${model.get("counter")} and not on ${goal}`);
        return tookMs;
      },
      async burst(count) {
        const goal = model.get("value") + count;
        const beginMs = performance.now();
        const done = until("value_seen", (value) => value === goal);
        for (let n = goal - count + 1; n <= goal; n += 1) set("value", n);
        await done;
        return performance.now() - beginMs;
      },
      async up(size) {
        const bytes = new Uint8Array(size);
        last += 1;
        new DataView(bytes.buffer).setUint32(0, last);
        const n = last;
        const beginMs = performance.now();
        const got = until("upload_seen", (seen) => seen[0] === n && seen[1] === size);
        set("upload", new DataView(bytes.buffer));
        await got;
        return performance.now() - beginMs;
      },
      async down(size) {
        last += 1;
        const n = last;
        const beginMs = performance.now();
        const got = until("download", (view) => view.byteLength === size && view.getUint32(0) === n);
        set("download_wanted", [n, size]);
        await got;
        return performance.now() - beginMs;
      },
    };
  },
};
