"""What the scripts of widgets from descriptions share: recorded answers, and a verifier that tries each in a browser.

described_flights.py FOLDER             shows widgets from the recordings in a folder
described_flights.py FOLDER --record    makes them: the answers are the modules of examples/cross_widget
"""

import sys
from pathlib import Path

import rdit_core as vw
from e2e import browsers
from rdit_core.descriptions import GeneratedModule
from rdit_harness.llm import PageVerifier, RecordedGenerator

EXAMPLES = Path(__file__).parents[2] / "examples" / "cross_widget"
sys.path.append(str(EXAMPLES))


class Examples:
    """In the place of a language model, which would write such modules: knows them by how a description begins."""

    def __init__(self, modules):
        self.modules = modules

    def generate(self, request):
        name = next(name for words, name in self.modules.items() if request.description.startswith(words))
        look = (EXAMPLES / "look.css").read_text(encoding="utf-8")
        return GeneratedModule((EXAMPLES / name).read_text(encoding="utf-8"), look)


class Unseen:
    """Accepts everything: while it is recorded nothing is shown."""

    version = "1"

    def verify(self, module, request, make_widget):
        return []


def describe(modules):
    """Say where modules come from, and who tries them."""
    folder, *options = sys.argv[1:]
    if options:
        vw.use_generator(RecordedGenerator(folder, record=Examples(modules)), verifier=Unseen())
        return
    found = browsers.find("chromium")
    launch = {} if found.source == "playwright" else {"executable_path": str(found.path)}
    vw.use_generator(RecordedGenerator(folder), verifier=PageVerifier(launch=launch), rounds=1)
