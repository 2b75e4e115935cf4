/**
 * Frames of `rdit/1`: one message and its buffers to what a WebSocket carries, and back.
 *
 * A frame without buffers is one JSON text. With buffers it is binary: `RDB1`, the number of parts and their lengths as
 * little-endian u32, then the parts, each at a multiple of 8 bytes; part 0 is the JSON, the others are the buffers in
 * the order of its field `buffers`, which has a path for each. `specials` has the paths of the numbers that JSON lacks.
 *
 * A buffer that arrives is a DataView into the frame, nothing is copied. It lies at a multiple of 8 bytes, so that any
 * typed array can be laid over it.
 */
export type Path = import("./binary.js").Path;
export type Encoded = {
    /**
     * its JSON; null stands where a buffer or a special number is
     */
    text: string;
    /**
     * about what it takes in a frame, in bytes: exact for plain JSON, an upper bound for others
     */
    size: number;
    /**
     * nobody else's, unless it was encoded as borrowed
     */
    buffers: readonly (readonly [Path, Uint8Array])[];
    specials: readonly (readonly [Path, string])[];
};
/** The message, its list of ops and the op are levels of their own. */
export declare const MAX_VALUE_DEPTH: number;
/** A frame that is no message. `code` is one of the protocol's names. */
export declare class FrameError extends Error {
    code: string;
    /** @param {string} code @param {string} message */
    constructor(code: string, message: string);
}
/** @param {string} text @returns {number} its length in UTF-8, in bytes */
export declare function utf8Size(text: string): number;
/**
 * @param {unknown} value
 * @param {boolean} [isBorrowing] the bytes are not copied: the result is a snapshot only as long as nobody edits them
 * @returns {Encoded}
 * @throws {DOMException} a DataCloneError, see `toJsonData`
 */
export declare function encodeValue(value: unknown, isBorrowing?: boolean): Encoded;
/**
 * The value back. Its buffers are views of what was encoded, and so not to be handed out.
 *
 * @param {Encoded} encoded
 * @returns {any}
 */
export declare function decodeValue({ text, buffers, specials }: Encoded): any;
/**
 * @param {string} json the message, header fields included
 * @param {readonly Uint8Array[]} buffers in the order of the field `buffers`; copied
 * @returns {{ frame: string | Uint8Array<ArrayBuffer>, views: Uint8Array[] }} `views`: the buffers in the frame
 */
export declare function joinParts(json: string, buffers: readonly Uint8Array[]): {
    frame: string | Uint8Array<ArrayBuffer>;
    views: Uint8Array[];
};
/**
 * A message to a frame; its buffers and special numbers may stand anywhere.
 *
 * @param {Record<string, unknown>} message
 * @returns {string | Uint8Array<ArrayBuffer>}
 * @throws {DOMException} a DataCloneError, see `toJsonData`
 */
export declare function encodeFrame(message: Record<string, unknown>): string | Uint8Array<ArrayBuffer>;
/**
 * The message of a frame, its buffers and special numbers in their places. Types that are not known are let through,
 * and so are fields.
 *
 * @param {string | ArrayBuffer | ArrayBufferView} data
 * @returns {any} a fresh tree; its DataViews share the frame's memory
 * @throws {FrameError}
 */
export declare function decodeFrame(data: string | ArrayBuffer | ArrayBufferView): any;
