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
    ename?: any;
    evalue?: any;
    traceback?: any;
    /**
     * of a reset: names of the files because of which the script runs anew
     */
    changed?: any;
};
/**
 * One execution event; `kind` is statement, stream, display, error, widget, done or reset.
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
 * @property {any} [ename]
 * @property {any} [evalue]
 * @property {any} [traceback]
 * @property {any} [changed] of a reset: names of the files because of which the script runs anew
 */
/** A stream's element keeps this much; older text gives way. */
export declare const MAX_STREAM_CHARS = 1000000;
/** @param {string} text */
export declare function stripAnsi(text: string): string;
/**
 * What a terminal would show of a stream: carriage returns go back to the start of the line, what comes next overwrites
 * it (progress bars), backspace goes back by one, colours are left out. Escapes may be cut anywhere between chunks.
 */
export declare function createTerminalText(): {
    /** The last line, which may still change. */
    readonly line: string;
    /**
     * @param {string} chunk
     * @returns {string} the lines that this chunk finished, each with its newline
     */
    write(chunk: string): string;
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
 * @param {(event: any, el: HTMLElement) => void} options.onWidget renders a widget event into an element
 * @returns {Outputs}
 */
export declare function createOutputs({ root, onWidget }: {
    root: HTMLElement;
    onWidget: (event: any, el: HTMLElement) => void;
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
