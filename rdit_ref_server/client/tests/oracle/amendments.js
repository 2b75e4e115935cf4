/**
 * Where we deviate from the reference on purpose, as edits of the reference.
 *
 * A deviation has a name, under which `deviations.py` gives its reason. Here it is what it would take for the reference
 * to behave as we do: the text that is replaced, and the text that replaces it. Each edit asks `globalThis.amends(name,
 * condition)`, which is true where the condition holds and the deviation is switched on, and remembers that it was. So
 * a run says which deviations it met; where it met none, it was a run of the reference as it is published; and
 * a difference that no amendment explains is a bug of ours.
 *
 * A text that is not there any more, after an update of a package, is an error: think the deviation out anew.
 */

/** @typedef {{ name: string, file: string, find: string, replace: string }} Amendment */

const PATCH = "@jupyter-widgets/base/lib/backbone-patch.js";
const WIDGET = "@jupyter-widgets/base/lib/widget.js";
const UTILS = "@jupyter-widgets/base/lib/utils.js";

/** @type {Amendment[]} */
export const AMENDMENTS = [
  {
    name: "nested_set",
    file: PATCH,
    find: `        this._pending = false;
        this._changing = false;
    }
    return this;`,
    // A set in a listener leaves what belongs to the set around it.
    replace: `        if (!amends("nested_set", Boolean(changing))) {
            this._pending = false;
            this._changing = false;
        }
    }
    return this;`,
  },
  {
    name: "undefined_is_null",
    file: PATCH,
    find: `            val = attrs[attr];
            // EDIT`,
    replace: `            val = attrs[attr];
            const isByUser = this._handedOut !== undefined && attrs !== this._state_lock && !options.patch;
            if (amends("undefined_is_null", isByUser && val === undefined)) val = null;
            // EDIT`,
  },
  {
    // The same two conditions decide what fires and what is to be saved, so two deviations share these edits.
    name: "same_object, edited_then_copied",
    file: PATCH,
    find: `            if (!utils.isEqual(current[attr], val)) {
                changes.push(attr);
            }
            if (!utils.isEqual(prev[attr], val)) {`,
    replace: `            const isEqual = utils.isEqual(current[attr], val);
            const isSame = amends("same_object", isByUser && current[attr] === val && oracle.isReference(val));
            const isEdited =
              !isSame && amends("edited_then_copied", isByUser && isEqual && oracle.wasEdited(this, attr, val));
            const isChange = isSame || isEdited || !isEqual;
            if (isChange) {
                changes.push(attr);
            }
            if (isSame || isEdited) {
                // It is an edit, although it is the value that Python sent, or was sent, a moment ago.
                delete this._buffered_state_diff_synced?.[attr];
                delete this._state_lock?.[attr];
            }
            if (isByUser) {
                const isPending = !isChange && oracle.isPending(this, attr);
                if (amends("equal_set_while_pending", isPending)) this._buffered_state_diff[attr] = val;
                const lock = this._state_lock;
                const isRemoteValue = isChange && lock && attr in lock && Object.is(lock[attr], val);
                if (amends("remote_value_set_anew", Boolean(isRemoteValue))) delete lock[attr];
                oracle.remember(this, attr, val);
            } else if (isChange && attrs === this._state_lock) {
                this._handedOut?.delete(attr);
            }
            const isBack = utils.isEqual(prev[attr], val);
            const isKept = Boolean(changing) && isByUser && !isChange && attr in changed;
            const isEqualInListener = isKept && (isBack || !Object.is(changed[attr], val));
            const isSetBack = Boolean(changing) && isByUser && isChange && isBack;
            if (amends("equal_set_in_listener", isEqualInListener)) {
                // What is to be sent stays what it was.
            } else if (isSame || isEdited || !isBack || amends("set_back_in_listener", isSetBack)) {`,
  },
  {
    name: "same_object, edited_then_copied",
    file: WIDGET,
    find: `export class WidgetModel extends Backbone.Model {`,
    replace: `export class WidgetModel extends Backbone.Model {
    get(key) {
        const value = super.get(key);
        if (this._handedOut && !this._handedOut.has(key)) oracle.remember(this, key, value);
        return value;
    }`,
  },
  {
    name: "same_object, edited_then_copied",
    file: WIDGET,
    find: `        this._buffered_state_diff = {};
        if (comm) {`,
    replace: `        this._buffered_state_diff = {};
        this._handedOut = new Map();
        if (comm) {`,
  },
  {
    name: "python_over_unsaved, same_bytes, equal_update_keeps_object",
    file: WIDGET,
    find: `        this._state_lock = state;
        try {`,
    replace: `        for (const key of Object.keys(state)) {
            if (amends("python_over_unsaved", key in this._buffered_state_diff)) delete this._buffered_state_diff[key];
            const current = this.attributes[key];
            const isEqual = utils.isEqual(current, state[key]);
            if (
                amends("same_bytes", !isEqual && oracle.sameBytes(current, state[key])) ||
                amends("equal_update_keeps_object", isEqual && oracle.isReference(current))
            ) {
                delete state[key];
            }
        }
        this._state_lock = state;
        try {`,
  },
  {
    name: "echo_over_unsaved",
    file: WIDGET,
    find: `                                this._expectedEchoMsgIds.delete(attrName);`,
    replace: `                                this._expectedEchoMsgIds.delete(attrName);
                                const isAside = this._aside?.some(({ attributes }) => attributes?.has(attrName));
                                if (
                                    amends("echo_over_unsaved", attrName in this._buffered_state_diff) ||
                                    amends("send_overtakes", Boolean(isAside))
                                ) {
                                    delete state[attrName];
                                }`,
  },
  {
    name: "masked_while_pending",
    file: WIDGET,
    find: `                    if (msg.parent_header && method === 'echo_update') {`,
    replace: `                    if (method === 'update') {
                        for (const key of Object.keys(state)) {
                            if (amends("masked_while_pending", oracle.isPending(this, key))) delete state[key];
                        }
                    }
                    if (msg.parent_header && method === 'echo_update') {`,
  },
  {
    name: "present_value_is_saved, saved_in_listener",
    file: WIDGET,
    find: `            this.save(this._buffered_state_diff, options);
            // If we are currently in a .set() call, save what state we have synced
            // to the kernel so we don't buffer it again as we come out of the .set call.
            if (this._changing) {
                utils.assign(this._buffered_state_diff_synced, this._buffered_state_diff);
            }`,
    replace: `            const diff = this._buffered_state_diff;
            for (const key of Object.keys(diff)) {
                const present = this.attributes[key];
                if (amends("present_value_is_saved", !Object.is(diff[key], present))) diff[key] = present;
            }
            const values = this.attributes;
            this.save(this._buffered_state_diff, options);
            // If we are currently in a .set() call, save what state we have synced
            // to the kernel so we don't buffer it again as we come out of the .set call.
            if (this._changing) {
                // What is in the diff by now are the copies that went on the wire.
                const isCopied = Object.keys(diff).some((key) => oracle.isReference(diff[key]));
                const sent = amends("saved_in_listener", isCopied)
                  ? Object.fromEntries(Object.keys(diff).map((key) => [key, values[key]]))
                  : this._buffered_state_diff;
                utils.assign(this._buffered_state_diff_synced, sent);
            }`,
  },
  {
    name: "send_overtakes",
    file: WIDGET,
    find: `            const data = { method: 'custom', content: content };
            this.comm.send(data, callbacks, {}, buffers);`,
    replace: `            const data = { method: 'custom', content: content };
            if (amends("send_overtakes", this._msg_buffer !== null)) {
                // What Python is to see first is put aside with it, until there is room.
                (this._aside ??= []).push({
                    state: this._msg_buffer,
                    callbacks: this._msg_buffer_callbacks,
                    attributes: this._attrsToUpdate,
                    send: this.comm.later(data, callbacks, {}, buffers),
                });
                this._msg_buffer = null;
                this._attrsToUpdate = new Set();
                return;
            }
            if (amends("send_overtakes", Boolean(this._aside?.length))) {
                this._aside.push({ state: null, send: this.comm.later(data, callbacks, {}, buffers) });
                return;
            }
            this.comm.send(data, callbacks, {}, buffers);`,
  },
  {
    name: "send_overtakes",
    file: WIDGET,
    find: `                if (this._msg_buffer !== null && this._pending_msgs < 1) {`,
    replace: `                if (this._pending_msgs < 1) {
                    for (const { state, callbacks, attributes, send } of this._aside?.splice(0) ?? []) {
                        if (state !== null) {
                            const id = this.send_sync_message(state, callbacks);
                            for (const key of attributes) this._expectedEchoMsgIds.set(key, id);
                        }
                        send();
                    }
                    if (this._msg_buffer !== null && this._pending_msgs > 0) {
                        const id = this.send_sync_message(this._msg_buffer, this._msg_buffer_callbacks);
                        this.rememberLastUpdateFor(id);
                        this._msg_buffer = null;
                        this._msg_buffer_callbacks = null;
                    }
                }
                if (this._msg_buffer !== null && this._pending_msgs < 1) {`,
  },
  {
    name: "numbers_survive",
    file: WIDGET,
    find: `                    if (attrs[key] === this._state_lock[key]) {`,
    replace: `                    const isRemoteNaN = Number.isNaN(attrs[key]) && Number.isNaN(this._state_lock[key]);
                    if (attrs[key] === this._state_lock[key] || amends("numbers_survive", isRemoteNaN)) {`,
  },
  {
    name: "numbers_survive",
    file: WIDGET,
    find: `                    if (attrs[key] === this._buffered_state_diff_synced[key]) {`,
    replace: `                    const sent = this._buffered_state_diff_synced[key];
                    const isSentNaN = Number.isNaN(attrs[key]) && Number.isNaN(sent);
                    if (attrs[key] === sent || amends("numbers_survive", isSentNaN)) {`,
  },
  {
    name: "exact_bytes",
    file: UTILS,
    find: `                        buffers.push((ArrayBuffer.isView(value) ? value.buffer : value));`,
    replace: `                        buffers.push(oracle.bytesOf(value));`,
  },
  {
    name: "exact_bytes",
    file: UTILS,
    find: `                            buffers.push((ArrayBuffer.isView(value)
                                ? value.buffer
                                : value));`,
    replace: `                            buffers.push(oracle.bytesOf(value));`,
  },
];

/** @param {string} url of a module of the reference @param {string} text */
export function amend(url, text) {
  for (const { name, file, find, replace } of AMENDMENTS) {
    if (!url.endsWith(`/node_modules/${file}`)) continue;
    const parts = text.split(find);
    if (parts.length !== 2) throw new Error(`The text that "${name}" amends is not in ${file}: think it out anew`);
    text = parts.join(replace);
  }
  return text;
}
