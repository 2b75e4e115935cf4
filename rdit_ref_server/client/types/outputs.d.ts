/**
 * Execution events as elements: which statement they belong to, and in which order they stand.
 *
 * Everything of ours goes in as text; the one exception is in `mime.js`.
 */
export type ExecutionEvent = {
    kind?: string;
    id?: number;
    statement?: any;
    source?: any;
    lineno?: any;
    end_lineno?: any;
    /**
     * of a statement: how many there are
     */
    total?: any;
    /**
     * of a statement: for how long its run has gone on when this is sent
     */
    elapsed_s?: any;
    name?: any;
    text?: any;
    data?: any;
    metadata?: any;
    /**
     * of a display or an update: see `formulas.js`
     */
    formulas?: any;
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
 * @property {any} [total] of a statement: how many there are
 * @property {any} [elapsed_s] of a statement: for how long its run has gone on when this is sent
 * @property {any} [name]
 * @property {any} [text]
 * @property {any} [data]
 * @property {any} [metadata]
 * @property {any} [formulas] of a display or an update: see `formulas.js`
 * @property {any} [display_id] of a display, a widget or an update: what an update finds it by
 * @property {any} [wait] of a clear: whether to wait for what the statement shows next
 * @property {any} [ename]
 * @property {any} [evalue]
 * @property {any} [traceback]
 * @property {any} [changed] of a reset: names of the files because of which the script runs anew
 */
/** A statement shows this many outputs besides widgets; older ones give way. */
export declare const MAX_OUTPUTS = 2000;
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
