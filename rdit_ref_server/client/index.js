/**
 * What a front end of one's own imports.
 */

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
