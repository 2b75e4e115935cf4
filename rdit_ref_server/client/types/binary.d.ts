/**
 * Values as the wire carries them, and values as a widget sees them.
 *
 * JSON has neither bytes nor NaN. On the wire of the base mode bytes are `{"$b64": "..."}` at their path and
 * non-finite numbers are null. Nothing here ever assigns to a key of an ordinary object that it did not define itself
 * as an own property, so a key called `__proto__` is data like any other.
 */
/** Deeper values are refused: the other side reads JSON down to this depth. */
export declare const MAX_DEPTH = 256;
/** @param {unknown} value @returns {value is Record<string, unknown>} */
export declare function isPlainObject(value: unknown): value is Record<string, unknown>;
/** @param {unknown} value @returns {value is ArrayBuffer | SharedArrayBuffer | ArrayBufferView} */
export declare function isBinary(value: unknown): value is ArrayBuffer | SharedArrayBuffer | ArrayBufferView;
/**
 * Exactly the bytes that a view shows, not those of the buffer behind it.
 *
 * @param {ArrayBuffer | SharedArrayBuffer | ArrayBufferView} value
 * @returns {Uint8Array}
 */
export declare function bytesOf(value: ArrayBuffer | SharedArrayBuffer | ArrayBufferView): Uint8Array;
/** @param {Uint8Array} bytes @returns {string} */
export declare function encodeBase64(bytes: Uint8Array): string;
/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export declare function decodeBase64(text: string): Uint8Array<ArrayBuffer>;
/** @param {string} message */
export declare function cloneError(message: string): DOMException;
export type Stand = {
    /**
     * the bytes are those of the value itself, not a copy
     */
    binary: (bytes: Uint8Array, path: Path) => unknown;
    /**
     * one that is not finite
     */
    number: (number: number, path: Path) => unknown;
    /**
     * every string and every key
     */
    text?: (text: string) => string;
    maxDepth?: number;
};
export type Path = (string | number)[];
/**
 * What stands in the JSON for what JSON does not have.
 *
 * @typedef {object} Stand
 * @property {(bytes: Uint8Array, path: Path) => unknown} binary the bytes are those of the value itself, not a copy
 * @property {(number: number, path: Path) => unknown} number one that is not finite
 * @property {(text: string) => string} [text] every string and every key
 * @property {number} [maxDepth]
 */
/** @typedef {(string | number)[]} Path from the value's root; to be copied by whoever keeps it */
/**
 * A snapshot of a value as JSON data. Later changes of the value do not reach the snapshot.
 *
 * `toJSON` is honoured; `undefined` becomes null (left out inside an object, as JSON does).
 *
 * @param {unknown} value
 * @param {Stand} stand
 * @returns {unknown} plain JSON data; objects in it have no prototype
 * @throws {DOMException} a DataCloneError for functions, symbols, cycles, values nested deeper than `maxDepth` and
 * integers that a number cannot hold; the message names the path
 */
export declare function toJsonData(value: unknown, { binary, number, text, maxDepth }: Stand): unknown;
/**
 * Whether JSON has all that is in a value: `JSON.stringify` then makes of the value itself what it would of its
 * `toJsonData`, except that texts are not looked at. Values that are nested too deeply, or contain themselves, are none.
 *
 * @param {any} value
 * @param {number} maxDepth
 * @returns {boolean}
 */
export declare function isJsonData(value: any, maxDepth: number): boolean;
/**
 * A snapshot of a value in the form that the base mode carries; numbers that are not finite become null. Otherwise as
 * `toJsonData`.
 *
 * @param {unknown} value
 * @returns {unknown}
 */
export declare function toWire(value: unknown): unknown;
/**
 * What a widget sees of a value that came from the wire: each `{"$b64": "..."}` is a DataView. The argument is left
 * as it is; parts without bytes are shared with the result.
 *
 * @param {any} value
 * @param {number} [depth]
 * @returns {any}
 * @throws {RangeError} when the value is nested deeper than `MAX_DEPTH`
 * @throws {DOMException} an InvalidCharacterError for text that is not base64
 */
export declare function fromWire(value: any, depth?: number): any;
/**
 * Whether two values have equal content: bytes by type and content, objects by own enumerable keys, NaN equals NaN.
 *
 * @param {any} a
 * @param {any} b
 * @returns {boolean}
 */
export declare function deepEqual(a: any, b: any): boolean;
/**
 * Whether two values are the same once they are on the wire: there it makes no difference whether bytes were a DataView
 * or a typed array, or a text came out of a `toJSON`. Values that cannot be sent differ from all others.
 *
 * @param {unknown} a
 * @param {unknown} b
 * @returns {boolean}
 */
export declare function sameOnWire(a: unknown, b: unknown): boolean;
/**
 * A copy that shares nothing with a value made of JSON data and DataViews. Primitive values are their own copy.
 *
 * @param {any} value
 * @returns {any}
 */
export declare function copyData(value: any): any;
