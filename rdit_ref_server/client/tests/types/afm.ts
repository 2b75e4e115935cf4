/** Widgets written against @anywidget/types fit this host, and this host's props fit them. Compiled, not run. */

import type { AnyModel, AnyWidget, Experimental, Host, Initialize, Render, RenderProps } from "@anywidget/types";
import { createModel, WidgetModel } from "rdit-client";
import type { Definition, Model, ScopedModel } from "rdit-client";
import type { Host as OurHost } from "rdit-client/host.js";
import type { Experimental as OurExperimental } from "rdit-client/invoke.js";

interface CounterState {
  value: number;
  label: string;
}

declare const scoped: ScopedModel;
declare const ourHost: OurHost;
declare const ourExperimental: OurExperimental;
const model: Model = createModel("1.1", { value: 0 }, { sendUpdate() {} });

// What our host passes is what a widget was promised.
export const promised = {
  any: scoped satisfies AnyModel,
  typed: scoped satisfies AnyModel<CounterState>,
  whole: model satisfies AnyModel<CounterState>,
  first: new WidgetModel("1.1", {}, { send() {} }) satisfies AnyModel<CounterState>,
  host: ourHost satisfies Host,
  experimental: ourExperimental satisfies Experimental,
};
const props = {
  model: scoped,
  el: document.body,
  signal: AbortSignal.timeout(1),
  host: ourHost,
  experimental: ourExperimental,
} satisfies RenderProps<CounterState>;

// A widget in TypeScript is one that our host takes.
const initialize: Initialize<CounterState> = ({ model, signal, experimental }) => {
  model.on("msg:custom", (content, buffers) => console.log(content, buffers.length));
  signal.addEventListener("abort", () => {});
  return { ask: () => experimental.invoke<string>("ask", {}, { signal }) };
};
const render: Render<CounterState> = async ({ model, el, host, signal }) => {
  const button = document.createElement("button");
  button.onclick = () => {
    model.set("value", model.get("value") + 1);
    model.save_changes();
  };
  const child = await host.getWidget<{ ask: () => void }>("anywidget:2");
  await child.render({ el, signal });
  model.on("change:value", () => (button.textContent = `${model.get("label")}: ${model.get("value")}`));
  model.send({ kind: "ready" }, undefined, [new Uint8Array(1)]);
  el.append(button);
  return () => button.remove();
};
const counter = { initialize, render } satisfies AnyWidget<CounterState>;
export const taken: Definition = counter;
void render(props);
void taken.render?.(props);

// @ts-expect-error: a definition's render is a function
export const broken: Definition = { render: "text" };
// @ts-expect-error: a view has an element
void render({ ...props, el: null });
