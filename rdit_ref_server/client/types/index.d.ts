/**
 * What a front end of one's own imports.
 */
export type Connection = import("./connection.js").Connection;
export type ConnectOptions = import("./connection.js").ConnectOptions;
export type StateChange = import("./connection.js").StateChange;
export type WidgetData = import("./connection.js").WidgetData;
export type RenderOptions = import("./render.js").RenderOptions;
export type View = import("./host.js").View;
export type WidgetFailure = import("./host.js").WidgetFailure;
export type CommandError = import("./invoke.js").CommandError;
export type Definition = import("./loader.js").Definition;
export type Channel = import("./model.js").Channel;
export type Fault = import("./model.js").Fault;
export type Model = import("./model.js").Model;
export type Profile = import("./model.js").Profile;
export type ScopedModel = import("./model.js").ScopedModel;
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./connection.js").ConnectOptions} ConnectOptions */
/** @typedef {import("./connection.js").StateChange} StateChange */
/** @typedef {import("./connection.js").WidgetData} WidgetData */
/** @typedef {import("./render.js").RenderOptions} RenderOptions */
/** @typedef {import("./host.js").View} View */
/** @typedef {import("./host.js").WidgetFailure} WidgetFailure */
/** @typedef {import("./invoke.js").CommandError} CommandError */
/** @typedef {import("./loader.js").Definition} Definition */
/** @typedef {import("./model.js").Channel} Channel */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Profile} Profile */
/** @typedef {import("./model.js").ScopedModel} ScopedModel */
export { connect, connectionOver } from "./connection.js";
export { loadModule } from "./loader.js";
export { createModel, WidgetModel } from "./model.js";
export { createOutputs } from "./outputs.js";
export { createEmitter } from "./emitter.js";
export { deepEqual, fromWire, toWire } from "./binary.js";
export { renderWidget } from "./render.js";
export { acquireCss } from "./styles.js";
