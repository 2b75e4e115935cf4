/**
 * `WidgetRenderer` of the first design: a widget as a React component, on the React that the page brings.
 *
 * React owns the container and never looks inside; `renderWidget` owns what is in it. Whatever a parent renders ends in
 * one call of `show`, after the commit, which compares and mostly does nothing: a parent that makes its props anew each
 * time does not cost the widget its view. What ends is the view. Models are the connection's, so that a component that
 * goes and comes back, as strict mode has it, finds the widget as it was.
 */
export type Connection = import("./connection.js").Connection;
export type WidgetData = import("./connection.js").WidgetData;
export type RenderOptions = import("./render.js").RenderOptions;
export type WidgetFailure = import("./host.js").WidgetFailure;
export type ReactLike = Pick<typeof import("react"), "createElement" | "forwardRef" | "useEffect" | "useRef">;
export type OwnProps = {
    /**
     * as the server serialized it; none yet: nothing is shown
     */
    widgetData?: WidgetData | null;
    /**
     * one that the page made, in base mode; none yet: nothing shows
     */
    websocket?: WebSocket | Connection | null;
    /**
     * instead of it: what `connect` gives
     */
    connection?: Connection | null;
    /**
     * default: `console.error`. The view shows the failure anyway
     */
    onError?: (failure: WidgetFailure) => void;
    /**
     * these three as `renderWidget` takes them, read when a view begins
     */
    profile?: RenderOptions["profile"];
    childWaitMs?: RenderOptions["childWaitMs"];
    importModule?: RenderOptions["importModule"];
};
export type DivProps = import("react").HTMLAttributes<HTMLDivElement>;
export type WidgetRendererProps = OwnProps & Omit<DivProps, "children" | "dangerouslySetInnerHTML" | "onError">;
/**
 * Makes the component `WidgetRenderer`.
 *
 * @param {ReactLike} React
 * @returns {import("react").ForwardRefExoticComponent<
 *   WidgetRendererProps & import("react").RefAttributes<HTMLDivElement>>}
 */
export declare function createWidgetRenderer({ createElement, forwardRef, useEffect, useRef }: ReactLike): import("react").ForwardRefExoticComponent<WidgetRendererProps & import("react").RefAttributes<HTMLDivElement>>;
