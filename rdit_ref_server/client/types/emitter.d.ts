/**
 * Named events with owners.
 *
 * A registration belongs to an owner (any object, or null), so that one hook of a widget can drop all of its own
 * listeners without touching anybody else's. Lists are replaced, never edited: an emit in progress walks the list it
 * started with, hence a callback removed meanwhile still runs in that round and one added meanwhile does not.
 */
export type Handler = (...args: any[]) => unknown;
export type Registration = {
    handler: Handler;
    owner: object | null;
};
export type Emitter = {
    /**
     * Registering the same handler twice makes it run twice.
     */
    on: (name: string, handler: Handler, owner?: object | null) => void;
    /**
     * Each argument left out (or null; for `owner` undefined) matches everything.
     */
    off: (name?: string | null, handler?: Handler | null, owner?: object | null) => void;
    emit: (name: string, ...args: any[]) => void;
    /**
     * As `emit`, with arguments that may depend on the owner of each registration.
     */
    emitFor: (name: string, argsFor: (owner: object | null) => any[]) => void;
    /**
     * As `emitFor`; then those run who listen to `all`, with the name before the arguments. Who they are is settled before
     * the first handler runs.
     */
    emitWithAll: (name: string, argsFor: (owner: object | null) => any[]) => void;
    /**
     * The number of registrations.
     */
    count: () => number;
};
/** @typedef {(...args: any[]) => unknown} Handler */
/** @typedef {{ handler: Handler, owner: object | null }} Registration */
/**
 * @typedef {object} Emitter
 * @property {(name: string, handler: Handler, owner?: object | null) => void} on
 * Registering the same handler twice makes it run twice.
 * @property {(name?: string | null, handler?: Handler | null, owner?: object | null) => void} off
 * Each argument left out (or null; for `owner` undefined) matches everything.
 * @property {(name: string, ...args: any[]) => void} emit
 * @property {(name: string, argsFor: (owner: object | null) => any[]) => void} emitFor
 * As `emit`, with arguments that may depend on the owner of each registration.
 * @property {(name: string, argsFor: (owner: object | null) => any[]) => void} emitWithAll
 * As `emitFor`; then those run who listen to `all`, with the name before the arguments. Who they are is settled before
 * the first handler runs.
 * @property {() => number} count The number of registrations.
 */
/**
 * Makes an emitter. A handler that throws never silences the rest: its error goes to `onerror`, or, without one, the
 * first error is raised after all handlers have run.
 *
 * @param {{ onerror?: (error: unknown, name: string) => void }} [options]
 * @returns {Emitter}
 */
export declare function createEmitter({ onerror }?: {
    onerror?: (error: unknown, name: string) => void;
}): Emitter;
export type Teller = {
    emitter: Emitter;
    tell: (name: string, detail: unknown) => void;
};
/**
 * @typedef {object} Teller
 * @property {Emitter} emitter
 * @property {(name: string, detail: unknown) => void} tell
 */
/**
 * An emitter that tells everybody the same order: what a subscriber sets off in turn is told after this round.
 *
 * @returns {Teller}
 */
export declare function createTeller(): Teller;
