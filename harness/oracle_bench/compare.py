"""What of two traces is compared.

Step by step: what the widget's code saw on the page (calls with their arguments and the model's `changed`, what `get`
gave, what was thrown), in order; what Python received, in order; and at the end what either side has. Where a frame
ends is no business of a widget's: between two steps, neighbouring updates count as one (line 53), and their order to
the page's events is free.
"""

from __future__ import annotations

from typing import Any

Result = dict[str, Any]


def by_step(result: Result) -> list[dict[str, Any]]:
    """The trace of a run, one record per step."""
    steps: list[dict[str, Any]] = []
    for kind, *entry in result["trace"]:
        if kind == "step":
            steps.append({"step": entry[0], "page": [], "python": []})
        elif kind != "python":
            steps[-1]["page"].append([kind, *entry])
        else:
            _receive(steps[-1]["python"], entry)
    return steps


def _receive(received: list[list[Any]], entry: list[Any]) -> None:
    if entry[0] == "update" and received and received[-1][0] == "update":
        received[-1] = ["update", {**received[-1][1], **entry[1]}]
    else:
        received.append(entry)


def without_changed(result: Result) -> Result:
    """A run without what the models said had changed."""
    return {**result, "trace": [entry for entry in result.get("trace", ()) if entry[0] != "changed"]}


def without_undefined(value: Any) -> Any:
    """A trace of the page as Python would have it: `undefined` is `None` there, like `null`."""
    if isinstance(value, list):
        return [without_undefined(item) for item in value]
    if isinstance(value, dict):
        return None if value == {"$undefined": True} else {key: without_undefined(item) for key, item in value.items()}
    return value


def _same(left: Any, right: Any) -> bool:
    """Equality as JSON has it: `true` is not `1`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return bool(left == right)


def difference(left: Result, right: Result, names: tuple[str, str]) -> str | None:
    """The first difference of two runs in words, or None."""
    for name, result in zip(names, (left, right), strict=True):
        if "error" in result:
            return f"the bench failed on {name}: {result['error']}"
    for number, (ours, theirs) in enumerate(zip(by_step(left), by_step(right), strict=True), 1):
        for part in ("page", "python"):
            if not _same(ours[part], theirs[part]):
                return (
                    f"step {number} ({ours['step']}), {part}:\n  {names[0]}: {ours[part]}\n  {names[1]}: {theirs[part]}"
                )
    for part in ("state", "python"):
        if not _same(left[part], right[part]):
            side = "the page" if part == "state" else "Python"
            return f"what {side} has at the end:\n  {names[0]}: {left[part]}\n  {names[1]}: {right[part]}"
    return None
