/**
 * Errors of widgets' code on their way to Python. While there is no connection the first ones wait: what failed first
 * says most, and of those behind it only their number is told.
 */
/** So many wait; the number of the others is told. */
export declare const MAX_WAITING_REPORTS = 32;
export type Reports = ReturnType<typeof createReports>;
/** @typedef {ReturnType<typeof createReports>} Reports */
export declare function createReports(): {
    readonly isWaiting: boolean;
    /**
     * @param {{ widgetId: string, stage: string, message: string, stack: string }} report
     * @param {boolean} isBounded there is no connection; while there is, a burst only waits for its turn
     */
    add({ widgetId, stage, message, stack }: {
        widgetId: string;
        stage: string;
        message: string;
        stack: string;
    }, isBounded: boolean): void;
    /** Everything that waits, as messages. */
    take(): Record<string, unknown>[];
};
