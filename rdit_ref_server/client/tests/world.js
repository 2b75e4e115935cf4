/** A page that shows widgets, for the tests of what a widget's code sees of its host. */

import { connect } from "../connection.js";
import { renderWidget } from "../render.js";
import { fakeClock, fakeImports, fakeNetwork, fakePage } from "./fakes.js";

/** @typedef {import("../render.js").RenderOptions} RenderOptions */
/** @typedef {import("../host.js").WidgetFailure} WidgetFailure */

/** Widget modules of the tests report here. @type {any} */
export const probe = ((/** @type {any} */ (globalThis)).probe = {});
export const LOG = "const log = (...entry) => globalThis.probe.log.push(entry.join(' '));";

/** A page with a connection that no server has accepted yet. */
export function makeWorld() {
  for (const key of Object.keys(probe)) delete probe[key];
  probe.log = [];
  const page = fakePage();
  const network = fakeNetwork();
  const clock = fakeClock();
  const connection = connect("ws://test/ws/widgets", {
    WebSocket: network.WebSocket,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    now: clock.now,
    random: () => 1,
    window: null,
    document: null,
  });
  const imports = fakeImports();
  /** @type {WidgetFailure[]} */
  const failures = [];
  function place() {
    const el = page.document.createElement("div");
    page.document.body.append(el);
    return el;
  }
  return {
    ...page,
    network,
    clock,
    connection,
    imports,
    failures,
    place,
    end() {
      connection.close();
      page.dom.window.close();
    },
    /**
     * @param {string} esm
     * @param {{ id?: string, state?: Record<string, any>, css?: string } & Partial<RenderOptions>} [options]
     */
    async show(esm, { id = "w1", state = {}, css, ...options } = {}) {
      const el = options.el ?? place();
      const view = await renderWidget({
        widgetData: { widget_id: id, esm: `${LOG}\n${esm}`, css, model: state },
        el,
        connection,
        importModule: imports.importModule,
        onerror: (failure) => failures.push(failure),
        ...options,
      });
      return { view, el };
    },
  };
}
