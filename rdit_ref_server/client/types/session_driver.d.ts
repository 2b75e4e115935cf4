/**
 * Joins a session (`session.js`) to WebSockets, timers and the page that it lives in.
 *
 * Until a server has chosen a subprotocol, nobody knows whether there will be a session at all: models that are made
 * and edits that are made meanwhile wait in it. A server that chooses anything but `rdit.v1` gets an exchange instead,
 * which inherits them.
 */
export type Driver = import("./connection.js").Driver;
export type DriverContext = import("./connection.js").DriverContext;
export type Inheritance = import("./exchange_driver.js").Inheritance;
/** @typedef {import("./connection.js").Driver} Driver */
/** @typedef {import("./connection.js").DriverContext} DriverContext */
/** @typedef {import("./exchange_driver.js").Inheritance} Inheritance */
export declare const SUBPROTOCOL = "rdit.v1";
/**
 * @param {DriverContext} context
 * @param {(inheritance: Inheritance) => void} onBase called once, if the server chose base mode: this driver has ended
 * @returns {Driver}
 */
export declare function driveSession(context: DriverContext, onBase: (inheritance: Inheritance) => void): Driver;
