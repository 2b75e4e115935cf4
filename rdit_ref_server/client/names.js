/**
 * What a widget is called where people read of it: its class and its id.
 */

/** @typedef {import("./exchange.js").WidgetData} WidgetData */

const MAX_NAME_CHARS = 100;

/**
 * `Counter 3.0`; `Widget 3.0` where nobody says of which class it is.
 *
 * anywidget writes the class into the state, as `module.Class`; of other objects the server says it.
 *
 * @param {string} widgetId
 * @param {{ get(name: string): any } | null | undefined} model
 * @param {WidgetData} [widgetData]
 */
export function nameOf(widgetId, model, widgetData) {
  for (const known of [model?.get("_anywidget_id"), widgetData?.class_name, widgetData?.model?._anywidget_id]) {
    const name = typeof known === "string" ? known.slice(known.lastIndexOf(".") + 1) : "";
    if (name !== "") return `${name.slice(0, MAX_NAME_CHARS)} ${widgetId}`;
  }
  return `Widget ${widgetId}`;
}
