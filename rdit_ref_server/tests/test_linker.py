import json
import shutil
import subprocess

import pytest

from rdit_ref_server.app import CLIENT
from rdit_ref_server.linker import LinkError, link

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node to run modules")


def evaluated(tmp_path, text, expression):
    """Run a script of module type, then give what an expression in it is."""
    file = tmp_path / "joined.mjs"
    file.write_text(f"{text}\nconsole.log(JSON.stringify({expression}));\n", encoding="utf-8")
    done = subprocess.run(["node", file], capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


MODULES = {
    "page.js": """import { twice, Box as Case } from "./tools.js";
import {
  LIMIT,
  later,
} from "./limits.js";
import "./effect.js";

export const answer = [twice(LIMIT), new Case(1).value, typeof later, globalThis.effects];
const hidden = "export is a word, import too";
""",
    "tools.js": """import { LIMIT } from "./limits.js";
const hidden = 2;
export function twice(one) {
  return one * hidden;
}
export class Box {
  constructor(value) {
    this.value = value + LIMIT;
  }
}
""",
    "limits.js": "export const LIMIT = 21;\nexport async function later() {}\n",
    "effect.js": "globalThis.effects = (globalThis.effects ?? 0) + 1;\n",
    "index.js": 'export { twice, Box as Case } from "./tools.js";\nconst one = 1;\nexport { one, one as uno };\n',
}


@needs_node
def test_joined_modules_do_what_they_do_apart(tmp_path):
    assert evaluated(tmp_path, link(MODULES, "page.js"), "rdit$module$page.answer") == [42, 22, "function", 1]
    text = link(MODULES, "index.js")
    assert evaluated(tmp_path, text, "[Object.keys(rdit$module$index), rdit$module$index.twice(2)]") == [
        ["twice", "Case", "one", "uno"],
        4,
    ]


def test_only_what_is_needed_comes_along_once_and_before_those_that_need_it():
    text = link(MODULES, "page.js")
    places = [text.index(f"// {name}\n") for name in ("limits.js", "tools.js", "effect.js", "page.js")]
    assert places == sorted(places)
    assert text.count("LIMIT = 21") == 1
    assert "index.js" not in text


@pytest.mark.parametrize(
    ("modules", "complaint"),
    [
        ({"page.js": 'import { a } from "./gone.js";'}, "page.js needs gone.js"),
        (
            {"page.js": 'import { a } from "./b.js";', "b.js": 'import { c } from "./page.js";'},
            "page.js -> b.js -> page",
        ),
        ({"page.js": "export let a = 1;"}, "export let a"),
        ({"page.js": "export default 1;"}, "export default"),
        ({"page.js": "export const { a } = b;"}, "export const {"),
        ({"page.js": 'import * as a from "./b.js";', "b.js": ""}, "import * as a"),
        ({"page.js": 'import a from "react";'}, "import a"),
        ({"page.js": "const here = import.meta.url;"}, "import.meta"),
    ],
)
def test_what_cannot_be_joined_is_refused_by_name(modules, complaint):
    with pytest.raises(LinkError) as refused:
        link(modules, "page.js")
    assert complaint in str(refused.value)


@needs_node
def test_the_real_modules_joined_export_what_they_export_apart(tmp_path):
    """All but the React entry, which imports a package, and what an exported page has as it is: it is no module of
    anybody's, and awaits.
    """
    names = sorted({path.name for path in CLIENT.glob("*.js")} - {"react.js", "static_boot.js"})
    modules = {name: (CLIENT / name).read_text(encoding="utf-8") for name in names}
    everything = "".join(f'import "./{name}";\n' for name in names)
    joined = link({**modules, "all.js": everything}, "all.js")
    variables = [f"rdit$module${name.removesuffix('.js')}" for name in names]
    found = evaluated(tmp_path, joined, f"[{','.join(f'Object.keys({one}).sort()' for one in variables)}]")
    apart = (
        f"for (const name of {json.dumps([(CLIENT / name).as_uri() for name in names])}) "
        "exported.push(Object.keys(await import(name)).sort());"
    )
    assert found == evaluated(tmp_path, f"const exported = []; {apart}", "exported")
