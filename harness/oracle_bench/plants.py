"""Planted bugs: the client or the mirror, broken on purpose in one place, to see that the bench sees.

As in `rdit_harness.sim.planted` a bug is a change of text. In the client it is made while Node loads the module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rdit_harness.sim.planted import Edit, Plant


@dataclass(frozen=True, slots=True)
class ClientPlant:
    """A bug in the client. `edits`: module, text, text in its place."""

    sentence: str
    edits: tuple[tuple[str, str, str], ...]


def _client(sentence: str, *edits: tuple[str, str, str]) -> ClientPlant:
    return ClientPlant(sentence, edits)


# Longer texts.
_ONLY_WHO_IS_THERE: Final = """for (const { handler, owner } of list) {
      if (!(registrations.get(name) ?? []).some((entry) => entry.handler === handler)) continue;"""
_SAME_LIST: Final = """const list = /** @type {any} */ (registrations.get(name) ?? []);
      list.push({ handler, owner });
      registrations.set(name, list);"""
_ONCE: Final = """const known = registrations.get(name) ?? [];
      if (known.some((entry) => entry.handler === handler && entry.owner === owner)) return;
      registrations.set(name, [...(registrations"""
_TO_THE_FRONT: Final = """    const rest = op.slot ? [] : [...ops];
    ops.add(op);
    for (const each of rest) {
      ops.delete(each);
      ops.add(each);
    }
  }"""
_IS_SHOWN: Final = (
    "(confirmed && certain.get(slot) === confirmed) || sameOnWire(model.peek(property), confirmed?.value)"
)

CLIENT_PLANTS: Final = {
    "off_across_hooks": _client(
        "`off()` drops the listeners of all hooks.",
        ("emitter.js", "(owner !== undefined && entry.owner !== owner)", "false"),
    ),
    "remote_key_by_key": _client(
        "An update from Python is stored and told key by key.",
        (
            "model.js",
            "      values.set(key, value);\n      changed.push(key);\n    }\n    //",
            "      values.set(key, value);\n      fire([key]);\n    }\n    //",
        ),
    ),
    "bytes_in_between": _client(
        "Of several keys from Python those that are bytes are told of in their place, and not last.",
        ("model.js", "changed.sort((left, right) => isBytes(left) - isBytes(right));", ""),
    ),
    "nested_change_lost": _client(
        "A set in a listener costs the set around it its plain change.",
        (
            "model.js",
            "if (!isOutermost) return;",
            "if (!isOutermost) {\n      isChangePending = false;\n      return;\n    }",
        ),
    ),
    "changed_forgets": _client(
        "A set in a listener makes `changed` forget what changed before it.",
        ("model.js", "if (!isFiring) lastChanged = Object.create(null);", "lastChanged = Object.create(null);"),
    ),
    "change_before_all_stored": _client(
        "Of `set({..})` the first key is told before the second is stored.",
        ("model.js", "if (isChange) changed.push(name);", "if (isChange) fire([name]);"),
    ),
    "equal_set_fires": _client(
        "An equal list or dict counts as a change.", ("model.js", "!deepEqual(old, next) ||", "old !== next ||")
    ),
    "same_object_lost": _client(
        "The same object set again is no change.", ("model.js", "(old === next && isReference(next)) ||", "")
    ),
    "saves_everything": _client(
        "`save_changes` sends keys that nobody set.",
        ("model.js", "const keys = [...dirty];", "const keys = dirty.size > 0 ? [...values.keys()] : [];"),
    ),
    "stale_edit_sent": _client(
        "An edit that Python's value replaced is sent by the next save.",
        ("model.js", "      dirty.delete(key);\n      handedOut", "      handedOut"),
    ),
    "removed_is_skipped": _client(
        "A callback removed during an emit does not run in that round.",
        (
            "emitter.js",
            "for (const { handler, owner } of list) {",
            _ONLY_WHO_IS_THERE,
        ),
    ),
    "added_runs_at_once": _client(
        "A callback added during an emit runs in that round.",
        (
            "emitter.js",
            "registrations.set(name, [...(registrations.get(name) ?? []), { handler, owner }]);",
            _SAME_LIST,
        ),
    ),
    "registered_once": _client(
        "The same callback registered twice runs once.",
        (
            "emitter.js",
            "registrations.set(name, [...(registrations",
            _ONCE,
        ),
    ),
    "throwing_stops_others": _client(
        "After a listener that throws none runs.",
        ("emitter.js", "if (onerror) onerror(error, name);", "if (onerror) return onerror(error, name);"),
    ),
    "all_is_late": _client(
        "Who listens to `all` is settled after the others have run.",
        ("emitter.js", 'run("all", all, ', 'run("all", registrations.get("all") ?? [], '),
    ),
    "value_of_the_moment": _client(
        "A listener gets the value that the one before it has set, and not the one that the event is about.",
        ("model.js", "[owner ?? model, value, {}] : []", "[owner ?? model, values.get(key), {}] : []"),
    ),
    "send_overtakes_state": _client(
        "A message leaves before the edits that wait.",
        (
            "batches.js",
            "    ops.add(op);\n  }",
            _TO_THE_FRONT,
        ),
    ),
    "no_mask": _client(
        "A value of Python's is shown while an edit of the property is on its way.",
        ("shown.js", "if (slot.pending > 0) continue;", ""),
    ),
    "echo_fires": _client(
        "The confirmation of an edit fires its events again.",
        ("shown.js", _IS_SHOWN, "false"),
        ("model.js", "if (values.has(key) && sameOnWire(values.get(key), value)) continue;", ""),
    ),
    "view_leaves_listeners": _client(
        "The listeners of a view stay when it ends.",
        ("model.js", 'signal?.addEventListener("abort", () => emitter.off(null, null, scoped), { once: true });', ""),
    ),
}


def _mirror(name: str, sentence: str, *edits: tuple[str, str, str]) -> Plant:
    return Plant(name, sentence, (), tuple(Edit(f"model:WidgetModel.{method}", old, new) for method, old, new in edits))


MIRROR_PLANTS: Final = {
    plant.name: plant
    for plant in (
        _mirror("off_across_hooks", "`off()` drops the listeners of all scopes.", ("off", "one[1] is scope and ", "")),
        _mirror(
            "remote_key_by_key",
            "An update from Python is stored and told key by key.",
            ("handle_remote_updates", "changed.append(key)", "self._fire_changes([key])"),
        ),
        _mirror(
            "bytes_in_between",
            "Of several keys from Python those that are bytes are told of in their place, and not last.",
            ("handle_remote_updates", "changed.sort(", "sorted([], "),
        ),
        _mirror(
            "nested_change_lost",
            "A set in a listener costs the set around it its plain change.",
            ("_fire_changes", "finally:", "finally:\n        self._is_change_pending = False"),
        ),
        _mirror(
            "changed_forgets",
            "A set in a listener makes `changed` forget what changed before it.",
            ("_fire_changes", "if not self._is_firing:", "if True:"),
        ),
        _mirror(
            "equal_set_fires",
            "An equal list or dict counts as a change.",
            ("_is_change", "return not same_value(old, value) or", "return old is not value or"),
        ),
        _mirror(
            "same_object_lost",
            "The same object set again is no change.",
            ("_is_change", "if old is value and isinstance(value, (dict, list)):", "if False:"),
        ),
        _mirror(
            "saves_everything",
            "`save_changes` sends keys that nobody set.",
            ("save_changes", "for key in dirty}", "for key in self._state}"),
        ),
        _mirror(
            "stale_edit_sent",
            "An edit that Python's value replaced is sent by the next save.",
            ("handle_remote_updates", "self._dirty.pop(key, None)", "pass"),
        ),
        _mirror(
            "removed_is_skipped",
            "A callback removed during an emit does not run in that round.",
            (
                "_fire",
                "for callback, _ in listeners:",
                "for callback, _ in (one for one in listeners if one in self._listeners.get(event, ())):",
            ),
        ),
        _mirror(
            "registered_once",
            "The same callback registered twice runs once.",
            (
                "on",
                "for name in self._names(event):",
                (
                    "for name in self._names(event):\n"
                    "        if (callback, scope) in self._listeners.get(name, ()):\n"
                    "            continue"
                ),
            ),
        ),
        _mirror(
            "throwing_stops_others",
            "A listener that throws is not caught.",
            ("_call", "self.errors.append(error)", "raise"),
        ),
        _mirror(
            "echo_fires",
            "An equal value of Python's fires.",
            (
                "handle_remote_updates",
                "if key not in self._state or not same_value(self._state[key], value):",
                "if True:",
            ),
        ),
    )
}
