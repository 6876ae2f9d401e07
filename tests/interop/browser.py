"""A real browser for SDKs that live in pages: Chromium driven by Playwright, scripts bundled by esbuild.

Chromium is the one that CHROME names, the system's, Playwright's own, or Debian's package, which is installed if it may
be. Pages come from a server on the loopback interface whose origin is not the edge's, so that CORS holds as in life.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, Playwright, sync_playwright

from tests.interop import node

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PAGE = b"<!doctype html><title>Shop</title><h1>Shop</h1>"
SWITCHES = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
INSTALL_S = 300


@dataclass
class Browser:
    """``origin`` is where pages come from. ``open`` gives a fresh one: nothing stored, nothing logged."""

    chromium: Chromium
    origin: str

    @contextmanager
    def open(self, script: str, **given: Any) -> Iterator[Opened]:
        """A page that ran a bundle; what ``given`` holds is there before, as properties of ``window``."""
        context = self.chromium.new_context()
        page = context.new_page()
        opened = Opened(page)
        page.on("console", lambda message: opened.said.append(message.text))
        page.on("pageerror", lambda error: opened.failed.append(str(error)))
        try:
            page.goto(f"{self.origin}/shop?utm_source=test")
            page.evaluate("given => Object.assign(window, given)", given)
            page.add_script_tag(content=script)
            yield opened
        finally:
            context.close()


@dataclass
class Opened:
    """``said`` is what scripts wrote to the console, ``failed`` are errors that nobody caught."""

    page: Page
    said: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def run(self, script: str) -> Any:
        """The value of the body of an async function."""
        return self.page.evaluate(f"async () => {{ {script} }}")


@cache
def bundle(script: str) -> str:
    """The text of an ES module and all it imports as one script for a browser."""
    installed = node.installed()
    path = f"{installed.program.parent}:{os.environ.get('PATH', '')}"
    command = [
        installed.modules / "node_modules" / ".bin" / "esbuild", "--bundle", "--format=iife", "--log-level=error",
        "--define:process.env.NODE_ENV=\"production\"", "--loader=js",
    ]  # fmt: skip
    done = subprocess.run(
        [str(part) for part in command], cwd=installed.modules, input=script, capture_output=True, text=True,
        timeout=120, check=False, env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, f"esbuild failed:\n{done.stderr}"
    return done.stdout


@contextmanager
def launched() -> Iterator[Browser]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=_found(playwright), args=list(SWITCHES))
            try:
                yield Browser(chromium, f"http://127.0.0.1:{server.server_address[1]}")
            finally:
                chromium.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _found(playwright: Playwright) -> str:
    """The path of Chromium. Fails with what to do if there is none and none can be had."""
    named = os.environ.get("CHROME")
    if named:
        return named
    own = Path(playwright.chromium.executable_path)
    found = _on_path() or (str(own) if own.exists() else None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=INSTALL_S, check=False)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        subprocess.run(command, capture_output=True, timeout=INSTALL_S, check=False)
        found = _on_path()
    return found or pytest.fail(
        "no Chromium for the tests of browser SDKs: install it (apt install chromium, or `playwright install"
        " chromium`), or name it in CHROME"
    )


def _on_path() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class _Pages(BaseHTTPRequestHandler):
    """An empty page at every path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody reads it."""
