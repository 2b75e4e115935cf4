/**
 * What a widget is called where people read of it: its class and its id.
 */
export type WidgetData = import("./exchange.js").WidgetData;
/**
 * `Counter 3.0`; `Widget 3.0` where nobody says of which class it is.
 *
 * anywidget writes the class into the state, as `module.Class`; of other objects the server says it.
 *
 * @param {string} widgetId
 * @param {{ get(name: string): any } | null | undefined} model
 * @param {WidgetData} [widgetData]
 */
export declare function nameOf(widgetId: string, model: {
    get(name: string): any;
} | null | undefined, widgetData?: WidgetData): string;
