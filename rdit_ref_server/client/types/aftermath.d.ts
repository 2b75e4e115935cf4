/**
 * What becomes of edits and messages whose session is gone.
 *
 * The same server has forgotten the session: what was sent may have arrived, so it is sent again on condition that its
 * slot is as it was. Another server was started: what it has is the truth, and edits are made again, plainly, where the
 * same widget came back; where it has not come yet, they wait for it. Messages are never sent twice.
 */
export type Op = import("./batches.js").Op;
export type Edits = import("./edits.js").Edits;
export type FaultOf = import("./edits.js").EditsHost["faultOf"];
export type Shown = import("./shown.js").Shown;
export type Slot = import("./widgets.js").Slot;
export type Widgets = import("./widgets.js").Widgets;
export type Restarted = {
    /**
     * edits that are sent again
     */
    reapplied: number;
    /**
     * edits whose widget or property did not come back
     */
    dropped: number;
    /**
     * edits whose widget may still come back
     */
    waiting: number;
    /**
     * custom messages
     */
    lost: number;
};
/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./edits.js").Edits} Edits */
/** @typedef {import("./edits.js").EditsHost["faultOf"]} FaultOf */
/** @typedef {import("./shown.js").Shown} Shown */
/** @typedef {import("./widgets.js").Slot} Slot */
/** @typedef {import("./widgets.js").Widgets} Widgets */
/**
 * The server was started anew while this page was open.
 *
 * @typedef {object} Restarted
 * @property {number} reapplied edits that are sent again
 * @property {number} dropped edits whose widget or property did not come back
 * @property {number} waiting edits whose widget may still come back
 * @property {number} lost custom messages
 */
/**
 * The `if_rev` of an edit that was made before this server was: no slot has revision 0, so it is a conflict.
 *
 * @param {Slot} slot
 */
export declare const neverSeen: ({ entry, property }: Slot) => 0 | null;
/** The session is gone and the server is the same. @param {Edits} edits @param {FaultOf} faultOf */
export declare function convertForExpiry(edits: Edits, faultOf: FaultOf): void;
/**
 * Before the state of the new server is applied.
 *
 * @param {Edits} edits
 * @param {Widgets} widgets
 * @param {FaultOf} faultOf
 * @param {Restarted} tally
 * @returns {Op[]} the edits that are left; they wait in the queue
 */
export declare function convertForRestart(edits: Edits, widgets: Widgets, faultOf: FaultOf, tally: Restarted): Op[];
/**
 * After it was applied: addresses the edits that are left to the widgets that came back.
 *
 * @param {readonly Op[]} left
 * @param {Edits} edits
 * @param {Widgets} widgets
 * @param {Shown} shown
 * @param {FaultOf} faultOf
 * @param {Restarted} tally
 */
export declare function repeatAfterRestart(left: readonly Op[], edits: Edits, widgets: Widgets, shown: Shown, faultOf: FaultOf, tally: Restarted): void;
