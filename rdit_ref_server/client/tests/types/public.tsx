/** Uses of the public surface as a front end in TypeScript has them. Nothing here runs: it is compiled. */

import * as React from "react";
import {
  acquireCss,
  connect,
  connectionOver,
  createModel,
  createOutputs,
  deepEqual,
  fromWire,
  loadModule,
  renderWidget,
  toWire,
  WidgetModel,
} from "rdit-client";
import type { CommandError, Connection, Fault, Model, StateChange, View, WidgetData, WidgetFailure } from "rdit-client";
import { noticeOf } from "rdit-client/notices.js";
import { createWidgetRenderer, WidgetRenderer } from "rdit-client/react.js";
import { createWidgetRenderer as createFromItsOwnModule } from "rdit-client/widget_renderer.js";

declare const el: HTMLElement;
declare const websocket: WebSocket;
const widgetData: WidgetData = { widget_id: "1.1", esm: "export default {}", css: null, model: { value: 0 } };

/** What two types have in common; `Equals<any, T>` is false. */
type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function assertType<_T extends true>(): void {}

// connect

const connection: Connection = connect("/ws/widgets", { protocol: "auto", profile: "strict", statusUrl: null });
connect(new URL("ws://localhost/ws/widgets"), { signal: AbortSignal.timeout(1_000) });
const stop: () => void = connection.on("state", ({ state }: StateChange) => (document.title = state));
connection.on("error", (fault: Fault) => {
  const notice: string | null = noticeOf(fault);
  if (notice !== null) console.warn(notice);
});
export const isLateAnswer = (error: CommandError) => error.code === "timeout" && error.message !== "";
const opening: Promise<Model> = connection.whenOpen("1.1", { timeoutMs: 100 });
assertType<Equals<typeof connection.protocol, "rdit.v1" | "base" | null>>();
const over: Connection = connectionOver(websocket, { profile: "compat" });

// @ts-expect-error: no such protocol
connect("/ws/widgets", { protocol: "rdit.v1" });
// @ts-expect-error: no such profile
connect("/ws/widgets", { profile: "backbone" });
// @ts-expect-error: no such option
connect("/ws/widgets", { retries: 3 });
// @ts-expect-error: where to?
connect();
// @ts-expect-error: no such event
connection.on("status", () => {});
// @ts-expect-error: a fault has a code
noticeOf({ message: "something went wrong" });

// renderWidget

const view: View = await renderWidget({ widgetData, el, connection, onerror: ({ stage }) => console.error(stage) });
const shown: HTMLElement = view.el;
await renderWidget({ widgetData, el, websocket, profile: "strict" });
const ended: Promise<void> = view.dispose();
view.model?.on("change:value", () => {});

// @ts-expect-error: which widget?
renderWidget({ el, connection });
// @ts-expect-error: a widget has an id
renderWidget({ widgetData: { model: {} }, el, connection });
// @ts-expect-error: a WebSocket is no connection
renderWidget({ widgetData, el, connection: websocket });
// @ts-expect-error: the model may be missing
view.model.get("value");
// @ts-expect-error: no such stage
const isLate = view.failure?.stage === "late";

// Models

const model: Model = createModel("1.1", { value: 0 }, { sendUpdate: (id: string, property: string) => {} });
model.set("value", 1);
model.save_changes();
const first = new WidgetModel("1.1", { value: 0 }, websocket);
first.on("change:value", (value: number) => first.set("value", value + 1));
first.handleRemoteUpdate("value", 1);
new WidgetModel("1.1", {}, connection);
new WidgetModel("1.1", {}, { send: (text: string) => console.log(text) });

// @ts-expect-error: a model needs a channel
new WidgetModel("1.1", {});
// @ts-expect-error: a socket is no address
new WidgetModel("1.1", {}, "ws://localhost");
// @ts-expect-error: a callback is a function
model.on("change:value", "changed");
// @ts-expect-error: no such method of the contract
model.trigger("change");

// The rest of it

const release: () => void = acquireCss(document, "p {}");
const same: boolean = deepEqual(fromWire(toWire(new DataView(new ArrayBuffer(1)))), null);
const definition = await loadModule({ esm: "", widgetId: "1.1" });
definition.render?.({ model, el });
createOutputs({ root: el, onWidget: (event, at) => void renderWidget({ widgetData: event, el: at, connection }) });

// @ts-expect-error: which widget's?
loadModule({ esm: "" });

// React

const Own = createWidgetRenderer(React);
assertType<Equals<typeof Own, typeof WidgetRenderer>>();
assertType<Equals<typeof createWidgetRenderer, typeof createFromItsOwnModule>>();
const ref = React.createRef<HTMLDivElement>();
const complain = (failure: WidgetFailure) => console.error(failure.widgetId, failure.message);
export const elements = [
  <WidgetRenderer widgetData={widgetData} websocket={websocket} />,
  <WidgetRenderer widgetData={widgetData} connection={connection} profile="strict" onError={complain} />,
  <Own widgetData={null} websocket={null} ref={ref} className="mine" style={{ color: "red" }} data-x="1" />,
  React.createElement(Own, { key: "1.1", widgetData, websocket }),
  // @ts-expect-error: an address is no WebSocket
  <WidgetRenderer widgetData={widgetData} websocket="/ws/widgets" />,
  // @ts-expect-error: data without an id is no widget's
  <WidgetRenderer widgetData={{ model: {} }} websocket={websocket} />,
  // @ts-expect-error: a widget has no children
  <WidgetRenderer widgetData={widgetData} websocket={websocket} children={null} />,
  // @ts-expect-error: it is told of a failure, not of an event
  <WidgetRenderer widgetData={widgetData} websocket={websocket} onError={(event: React.SyntheticEvent) => {}} />,
];

// @ts-expect-error: it is made of React
createWidgetRenderer({});

export const unused = [stop, opening, over, shown, ended, isLate, release, same];
