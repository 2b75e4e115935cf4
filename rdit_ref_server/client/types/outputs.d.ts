/**
 * Execution events as elements.
 *
 * Everything of ours goes in as text. The one exception is `text/html`, the rich representation that the user's own
 * Python object chose, which is trusted as much as the user's widgets are; scripts inside it do not run.
 */
export type ExecutionEvent = {
    kind?: string;
    id?: number;
    statement?: any;
    source?: any;
    lineno?: any;
    end_lineno?: any;
    name?: any;
    text?: any;
    data?: any;
    metadata?: any;
    /**
     * of a display, a widget or an update: what an update finds it by
     */
    display_id?: any;
    /**
     * of a clear: whether to wait for what the statement shows next
     */
    wait?: any;
    ename?: any;
    evalue?: any;
    traceback?: any;
    /**
     * of a reset: names of the files because of which the script runs anew
     */
    changed?: any;
};
/**
 * One execution event; `kind` is statement, stream, display, update, clear, error, widget, done or reset.
 *
 * @typedef {object} ExecutionEvent
 * @property {string} [kind]
 * @property {number} [id]
 * @property {any} [statement]
 * @property {any} [source]
 * @property {any} [lineno]
 * @property {any} [end_lineno]
 * @property {any} [name]
 * @property {any} [text]
 * @property {any} [data]
 * @property {any} [metadata]
 * @property {any} [display_id] of a display, a widget or an update: what an update finds it by
 * @property {any} [wait] of a clear: whether to wait for what the statement shows next
 * @property {any} [ename]
 * @property {any} [evalue]
 * @property {any} [traceback]
 * @property {any} [changed] of a reset: names of the files because of which the script runs anew
 */
/** A stream's element keeps this much; older text gives way. */
export declare const MAX_STREAM_CHARS = 1000000;
/** A statement shows this many outputs besides widgets; older ones give way. */
export declare const MAX_OUTPUTS = 2000;
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
export type Outputs = {
    /**
     * unknown kinds are ignored
     */
    show: (event: ExecutionEvent & {
        kind: string;
    }) => void;
    clear: () => void;
};
/**
 * @typedef {object} Outputs
 * @property {(event: ExecutionEvent & { kind: string }) => void} show unknown kinds are ignored
 * @property {() => void} clear
 */
/**
 * Shows execution events below `root`, one section per statement.
 *
 * @param {object} options
 * @param {HTMLElement} options.root
 * @param {(event: any, el: HTMLElement, signal: AbortSignal) => void} options.onWidget renders a widget event into an
 *   element; the signal ends the view
 * @returns {Outputs}
 */
export declare function createOutputs({ root, onWidget }: {
    root: HTMLElement;
    onWidget: (event: any, el: HTMLElement, signal: AbortSignal) => void;
}): Outputs;
/**
 * The richest representation of a MIME bundle that we can show.
 *
 * @param {Document} document
 * @param {Record<string, any>} data
 * @param {Record<string, any>} metadata
 * @returns {HTMLElement | null}
 */
export declare function mimeElement(document: Document, data: Record<string, any>, metadata: Record<string, any>): HTMLElement | null;
