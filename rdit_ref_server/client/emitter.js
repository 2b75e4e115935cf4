/**
 * Named events with owners.
 *
 * A registration belongs to an owner (any object, or null), so that one hook of a widget can drop all of its own
 * listeners without touching anybody else's. Lists are replaced, never edited: an emit in progress walks the list it
 * started with, hence a callback removed meanwhile still runs in that round and one added meanwhile does not.
 */

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
export function createEmitter({ onerror } = {}) {
  /** @type {Map<string, readonly Registration[]>} */
  const registrations = new Map();

  /** @param {string} name @param {readonly Registration[]} list @param {(owner: object | null) => any[]} argsFor */
  function run(name, list, argsFor) {
    /** @type {{ error: unknown } | null} */
    let first = null;
    for (const { handler, owner } of list) {
      try {
        handler(...argsFor(owner));
      } catch (error) {
        if (onerror) onerror(error, name);
        else first ??= { error };
      }
    }
    if (first) throw first.error;
  }

  /** @type {Emitter["emitFor"]} */
  function emitFor(name, argsFor) {
    run(name, registrations.get(name) ?? [], argsFor);
  }

  return {
    on(name, handler, owner = null) {
      registrations.set(name, [...(registrations.get(name) ?? []), { handler, owner }]);
    },
    off(name, handler, owner) {
      const names = name === undefined || name === null ? [...registrations.keys()] : [name];
      for (const each of names) {
        const kept = (registrations.get(each) ?? []).filter(
          (entry) =>
            (handler !== undefined && handler !== null && entry.handler !== handler) ||
            (owner !== undefined && entry.owner !== owner),
        );
        if (kept.length > 0) registrations.set(each, kept);
        else registrations.delete(each);
      }
    },
    emit(name, ...args) {
      emitFor(name, () => args);
    },
    emitFor,
    emitWithAll(name, argsFor) {
      const all = registrations.get("all") ?? [];
      emitFor(name, argsFor);
      run("all", all, (owner) => [name, ...argsFor(owner)]);
    },
    count() {
      let sum = 0;
      for (const list of registrations.values()) sum += list.length;
      return sum;
    },
  };
}

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
export function createTeller() {
  const emitter = createEmitter({
    onerror: (error, name) => console.error(`[rdit] a "${name}" subscriber of the connection failed`, error),
  });
  /** @type {[name: string, detail: unknown][]} */
  const untold = [];
  let isTelling = false;
  return {
    emitter,
    tell(name, detail) {
      untold.push([name, detail]);
      if (isTelling) return;
      isTelling = true;
      for (let next = untold.shift(); next; next = untold.shift()) emitter.emit(...next);
      isTelling = false;
    },
  };
}
