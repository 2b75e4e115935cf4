"""Finds the browsers of this machine, and installs what is missing as far as it may.

    python -m e2e.browsers                                     # what is here
    python -m e2e.browsers --install chromium firefox webkit   # get what is not

The choice per engine, best first: the path in an environment variable (E2E_CHROMIUM, E2E_FIREFOX, E2E_MINIBROWSER),
Playwright's own download, the system's browser. What is missing is then installed with apt, as root or with sudo where
it asks no password; else Playwright downloads it; else one line says what to install. A system browser counts only when
it answers `--version` with a number: on some systems the package is a stub that points to a store.

Chromium comes in two forms, and where no window is wanted that without one is taken first: the same engine in a third
of the time per tab. Playwright's own download is of that form, Debian has it in a package of its own.

Only the standard library at the top: this file must run where nothing is installed yet.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.alone import alone

ENGINES = ("chromium", "firefox", "webkit")
NAMES = {"chromium": "Chromium", "firefox": "Firefox", "webkit": "WebKit"}

APT_PACKAGES = {
    "chromium": ("chromium", "fonts-dejavu-core"),
    "firefox": ("firefox-esr", "fonts-dejavu-core", "xvfb", "libgl1-mesa-dri", "libegl1", "libgles2"),
    "webkit": ("webkit2gtk-driver", "xvfb", "fonts-dejavu-core", "libgl1-mesa-dri", "libegl1", "libgles2"),
}

SYSTEM_COMMANDS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
}

HEADLESS_SHELL = "chromium-headless-shell"
"""Debian's package of Chromium without windows, and its command."""

# The test browser of WebKitGTK is in a library's folder, on no PATH.
MINIBROWSER_PATTERNS = (
    "/usr/lib/*/webkit2gtk-4.*/MiniBrowser",
    "/usr/libexec/webkit2gtk-4.*/MiniBrowser",
    "/usr/lib/*/webkitgtk-6.*/MiniBrowser",
    "/usr/libexec/webkitgtk-6.*/MiniBrowser",
)

APT_TIMEOUT_S = 600
SHELL_TIMEOUT_S = 90
DOWNLOAD_TIMEOUT_S = 420
APT_INSTALL = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends")


@dataclass(frozen=True)
class Found:
    """A browser that can be driven."""

    engine: str
    path: Path
    """The browser's executable: for WebKitGTK its MiniBrowser."""
    source: str
    """`playwright` for Playwright's own download, `system` or the name of the variable that gave the path."""
    driver: Path | None = None
    """WebKitWebDriver, where the browser is driven through it; None where Playwright drives it."""

    def __str__(self) -> str:
        return f"{NAMES[self.engine]}: {self.path} ({self.source})"


def find(engine: str, *, has_window: bool = False) -> Found | None:
    """The best browser of this engine that is on this machine now; with `has_window` one that can show itself."""
    return _given(engine) or _playwrights_own(engine) or _systems(engine, has_window=has_window)


def required() -> frozenset[str]:
    """Engines without which a run must not pass, from RDIT_REQUIRE_BROWSERS (names with spaces or commas between)."""
    return frozenset(re.findall(r"\w+", os.environ.get("RDIT_REQUIRE_BROWSERS", "")))


def how_to_get(engine: str) -> str:
    """One line for a person who has to install it by hand."""
    return f"apt-get install {' '.join(APT_PACKAGES[engine])}  (or: playwright install --with-deps {engine})"


def install(engine: str) -> Found | None:
    """Get a browser of this engine if there is none, with whatever means this machine allows."""
    found = find(engine) or _install(engine)
    if engine == "chromium" and found and found.source == "system" and found.path.name != HEADLESS_SHELL:
        with alone("apt"):
            _apt_install_shell()
        return find(engine)
    return found


def _install(engine: str) -> Found | None:
    # Of two that install packages of the system one would find the other in its way.
    with alone("apt"):
        for attempt in (lambda _: None, _apt_install, _playwright_install):
            attempt(engine)
            if found := find(engine):
                return found
    return None


def _given(engine: str) -> Found | None:
    variable = {"chromium": "E2E_CHROMIUM", "firefox": "E2E_FIREFOX", "webkit": "E2E_MINIBROWSER"}[engine]
    path = os.environ.get(variable)
    if not path:
        return None
    if not Path(path).exists():
        raise SystemExit(f"{variable} names {path}, which does not exist")
    return Found(engine, Path(path), variable, _webkit_driver() if engine == "webkit" else None)


def _playwrights_own(engine: str) -> Found | None:
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    # A look at the folder first: asking Playwright starts its driver, which takes half a second.
    if not any(folder.glob(f"{engine}-*")):
        return None
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = Path(getattr(playwright, engine).executable_path)
    # The folder may hold another version's download.
    return Found(engine, path, "playwright") if path.exists() else None


def _systems(engine: str, *, has_window: bool) -> Found | None:
    if engine == "webkit":
        driver = _webkit_driver()
        paths = [path for pattern in MINIBROWSER_PATTERNS for path in sorted(glob.glob(pattern))]  # noqa: PTH207 absolute
        if driver is None or not paths or not (shutil.which("Xvfb") or os.environ.get("DISPLAY")):
            return None
        return Found(engine, Path(paths[-1]), "system", driver)
    without_window = (HEADLESS_SHELL,) if engine == "chromium" and not has_window else ()
    for command in (*without_window, *SYSTEM_COMMANDS[engine]):
        path = shutil.which(command)
        if path and _answers_version(path):
            return Found(engine, Path(path), "system")
    return None


def _webkit_driver() -> Path | None:
    path = shutil.which("WebKitWebDriver")
    return Path(path) if path else None


def _answers_version(path: str) -> bool:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and re.search(r"\d+\.\d+", answer.stdout) is not None


def _apt_install(engine: str) -> None:
    as_root = _as_root()
    if as_root is None:
        return
    packages = APT_PACKAGES[engine]
    install = [*as_root, *APT_INSTALL]
    # The lists may be absent or too old for what the mirror holds: then they are fetched, and it is tried once more.
    for command in ([*install, *packages], [*as_root, "apt-get", "update"], [*install, *packages]):
        if command[-1] != "update" and any(_is_store_stub(package) for package in packages):
            continue
        if _run(command, APT_TIMEOUT_S) and command[-1] != "update":
            return


def _apt_install_shell() -> None:
    """The form of Chromium that is faster, where it is one package more. Nothing is lost where that fails."""
    as_root = _as_root()
    offered = _version("Candidate", HEADLESS_SHELL)
    # Of another version it would replace the Chromium that is here.
    if as_root is not None and offered is not None and offered == _version("Installed", "chromium-common"):
        _run([*as_root, *APT_INSTALL, HEADLESS_SHELL], SHELL_TIMEOUT_S)


def _as_root() -> list[str] | None:
    """How to begin a command that installs packages; None where that is not possible."""
    if shutil.which("apt-get") is None:
        return None
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    return None if as_root and not _may_sudo() else as_root


def _version(which: str, package: str) -> str | None:
    """The version of a package that is `Installed`, or that is the `Candidate` to be."""
    policy = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True)
    found = re.search(rf"{which}: (\S+)", policy.stdout)
    return found[1] if found and found[1] != "(none)" else None


def _may_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0


def _is_store_stub(package: str) -> bool:
    """Whether the package only points to a snap, which gives no browser that can be driven."""
    return "snap" in (_version("Candidate", package) or "")


def _playwright_install(engine: str) -> None:
    command = [sys.executable, "-m", "playwright", "install", engine]
    if os.geteuid() == 0:
        command.insert(-1, "--with-deps")
    _run(command, DOWNLOAD_TIMEOUT_S)


def _run(command: Sequence[str], timeout_s: float) -> bool:
    print("+", *command, file=sys.stderr, flush=True)
    try:
        # Progress is for the person who waits; standard output stays ours.
        return subprocess.run(command, stdout=sys.stderr, timeout=timeout_s).returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"  {error}", file=sys.stderr)
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what there is for each engine; 1 when an engine that RDIT_REQUIRE_BROWSERS names is missing."""
    parser = argparse.ArgumentParser(description="Find browsers for the end-to-end tests.")
    parser.add_argument("--install", action="store_true", help="install what is missing")
    parser.add_argument("engines", nargs="*", default=list(ENGINES), metavar="ENGINE", help=", ".join(ENGINES))
    options = parser.parse_args(arguments)
    if unknown := set(options.engines) - set(ENGINES):
        parser.error(f"unknown engine: {', '.join(sorted(unknown))}")
    missing = []
    for engine in options.engines:
        found = install(engine) if options.install else find(engine)
        print(found or f"{NAMES[engine]}: none; {how_to_get(engine)}", flush=True)
        if found is None:
            missing.append(engine)
    return 1 if required() & set(missing) else 0


if __name__ == "__main__":
    raise SystemExit(main())
