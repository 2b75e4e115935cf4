/**
 * Text with escapes as a terminal shows it: progress bars, colours, erased lines.
 */
/** A stream's element keeps this much; older text gives way. */
export declare const MAX_STREAM_CHARS = 1000000;
/** @param {string} text */
export declare function stripAnsi(text: string): string;
export type Look = {
    fg: string;
    bg: string;
    bold: boolean;
    dim: boolean;
    italic: boolean;
    underline: boolean;
    inverse: boolean;
    strike: boolean;
};
export type Marked = {
    text: string;
    marks: string;
};
/**
 * Text with its looks: `marks` has a character for each of `text`, whose code is the place of its look among the
 * terminal's `looks`; 0 is plain.
 *
 * @typedef {{ text: string, marks: string }} Marked
 */
/**
 * What a terminal would show of a stream: carriage returns go back to the start of the line, what comes next overwrites
 * it (progress bars), backspace goes back by one, colours and weights are kept, a line can be erased, other escapes are left out. Escapes may
 * be cut anywhere between chunks.
 */
export declare function createTerminalText(): {
    looks: Look[];
    /** The last line, which may still change. */
    readonly line: string;
    readonly marks: string;
    /**
     * @param {string} chunk
     * @returns {Marked} the lines that this chunk finished, each with its newline
     */
    write(chunk: string): Marked;
};
export type Stream = {
    name: string;
    write: (text: string) => void;
};
/** @typedef {{ name: string, write: (text: string) => void }} Stream */
/**
 * Text of one stream in an element, as a terminal would show it.
 *
 * @param {HTMLElement} pre
 * @param {string} name
 * @returns {Stream}
 */
export declare function createStream(pre: HTMLElement, name: string): Stream;
