/**
 * What a front end of one's own imports.
 */

export { connect, connectionOver } from "./connection.js";
export { renderWidget } from "./host.js";
export { loadModule } from "./loader.js";
export { createModel, WidgetModel } from "./model.js";
export { createOutputs } from "./outputs.js";
export { createEmitter } from "./emitter.js";
export { deepEqual, fromWire, toWire } from "./binary.js";
export { acquireCss } from "./styles.js";
