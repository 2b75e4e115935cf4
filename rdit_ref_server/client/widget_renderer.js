/**
 * `WidgetRenderer` of the first design: a widget as a React component, on the React that the page brings.
 *
 * React owns the container and never looks inside; `renderWidget` owns what is in it. Whatever a parent renders ends in
 * one call of `show`, after the commit, which compares and mostly does nothing: a parent that makes its props anew each
 * time does not cost the widget its view. What ends is the view. Models are the connection's, so that a component that
 * goes and comes back, as strict mode has it, finds the widget as it was.
 */

import { errorPanel } from "./host.js";
import { messageOf } from "./model.js";
import { nameOf } from "./names.js";
import { renderWidget } from "./render.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./connection.js").WidgetData} WidgetData */
/** @typedef {import("./render.js").RenderOptions} RenderOptions */
/** @typedef {import("./host.js").WidgetFailure} WidgetFailure */

/**
 * What is used of React, 18 or newer.
 *
 * @typedef {Pick<typeof import("react"), "createElement" | "forwardRef" | "useEffect" | "useRef">} ReactLike
 */

/**
 * @typedef {object} OwnProps
 * @property {WidgetData | null} [widgetData] as the server serialized it; none yet: nothing is shown
 * @property {WebSocket | Connection | null} [websocket] one that the page made, in base mode; none yet: nothing shows
 * @property {Connection | null} [connection] instead of it: what `connect` gives
 * @property {(failure: WidgetFailure) => void} [onError] default: `console.error`. The view shows the failure anyway
 * @property {RenderOptions["profile"]} [profile] these three as `renderWidget` takes them, read when a view begins
 * @property {RenderOptions["childWaitMs"]} [childWaitMs]
 * @property {RenderOptions["importModule"]} [importModule]
 */

/** @typedef {import("react").HTMLAttributes<HTMLDivElement>} DivProps */

/**
 * Its own, and whatever else the container may have: `className`, `style`, `id`, ...
 *
 * @typedef {OwnProps & Omit<DivProps, "children" | "dangerouslySetInnerHTML" | "onError">} WidgetRendererProps
 */

/** What of a widget's data makes it another one to see. Its state does not: the model has it, and follows Python. */
const IDENTITY = /** @type {const} */ (["widget_id", "esm", "esm_url", "css"]);

/** @param {WidgetData} one @param {WidgetData} other */
function isSameWidget(one, other) {
  return IDENTITY.every((key) => (one[key] ?? null) === (other[key] ?? null));
}

/** @param {WidgetFailure} failure */
function complain({ name, stage, error }) {
  console.error(`[rdit] ${name} failed (${stage})`, error);
}

/**
 * Where one mounted component shows its widget.
 *
 * @param {HTMLElement} el
 */
function createPlace(el) {
  /** @type {OwnProps} */
  let props = {};
  /** @type {{ widgetData: WidgetData, carrier: WebSocket | Connection, lifetime: AbortController } | null} */
  let shown = null;

  /** @param {WidgetFailure} failure */
  function tell(failure) {
    try {
      (props.onError ?? complain)(failure);
    } catch (error) {
      console.error("[rdit] onError failed", error);
    }
  }

  function end() {
    shown?.lifetime.abort();
    shown = null;
    el.replaceChildren();
  }

  /** @param {WidgetData} widgetData @param {WebSocket | Connection} carrier */
  function isShown(widgetData, carrier) {
    if (shown === null || shown.carrier !== carrier || !isSameWidget(shown.widgetData, widgetData)) return false;
    // Its model was closed. In rdit/1 the server opens another and the view follows by itself; in base mode new data is
    // the word that there is one.
    const isGone = !el.hasChildNodes() && shown.widgetData !== widgetData && carrier.protocol !== "rdit.v1";
    return !isGone;
  }

  /** @param {OwnProps} next */
  function show(next) {
    props = next;
    const { widgetData, profile, childWaitMs, importModule } = props;
    const carrier = props.connection ?? props.websocket;
    if (!widgetData || !carrier) return end();
    if (shown !== null && isShown(widgetData, carrier)) {
      shown.widgetData = widgetData;
      return;
    }
    end();
    const lifetime = new AbortController();
    const { signal } = lifetime;
    shown = { widgetData, carrier, lifetime };
    renderWidget({
      widgetData,
      el,
      websocket: carrier,
      signal,
      profile,
      childWaitMs,
      importModule,
      onerror: tell,
    }).catch((error) => {
      // What the widget's code does never gets here: this is about what was passed in the place of a connection.
      if (signal.aborted) return;
      const stage = /** @type {const} */ ("open");
      const widgetId = String(widgetData.widget_id);
      const name = nameOf(widgetId, null, widgetData);
      const failure = { widgetId, name, stage, message: messageOf(error), error };
      el.replaceChildren(errorPanel(el.ownerDocument, failure));
      tell(failure);
    });
  }

  return { show, end };
}

/**
 * Makes the component `WidgetRenderer`.
 *
 * @param {ReactLike} React
 * @returns {import("react").ForwardRefExoticComponent<
 *   WidgetRendererProps & import("react").RefAttributes<HTMLDivElement>>}
 */
export function createWidgetRenderer({ createElement, forwardRef, useEffect, useRef }) {
  return forwardRef(function WidgetRenderer(
    /** @type {WidgetRendererProps} */ allProps,
    /** @type {import("react").ForwardedRef<HTMLDivElement>} */ ref,
  ) {
    const { widgetData, websocket, connection, onError, profile, childWaitMs, importModule, className, ...others } =
      allProps;
    const el = useRef(/** @type {HTMLDivElement | null} */ (null));
    const place = useRef(/** @type {ReturnType<typeof createPlace> | null} */ (null));
    useEffect(() => {
      place.current ??= createPlace(/** @type {HTMLDivElement} */ (el.current));
      place.current.show({ widgetData, websocket, connection, onError, profile, childWaitMs, importModule });
    });
    useEffect(() => () => place.current?.end(), []);
    const classes = className ? `widget-container ${className}` : "widget-container";
    return createElement("div", { ...others, className: classes, ref }, createElement("div", { ref: el }));
  });
}
