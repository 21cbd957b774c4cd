"""A headless Chromium, spoken to over two pipes in the DevTools protocol: nothing to install beside the browser."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--remote-debugging-pipe", "--window-size=1280,900",
    # no name is looked up: what asks for one fails, and is seen
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
_WAIT_S = 60.0


def program() -> str:
    """The browser; the test is skipped where there is none. ``T3D_CHROMIUM`` names one that is on no path."""
    given = os.environ.get("T3D_CHROMIUM")
    found = given or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is there, and T3D_CHROMIUM names none")
    return found


class Browser:
    """One page of a browser.

    Attributes:
        events: everything that the browser said without being asked: {"method", "params"}.
    """

    def __init__(self, write: int, read: int) -> None:
        self.write, self.read = write, read
        self.events: list[dict[str, Any]] = []
        self.rest = b""
        self.count = 0
        self.session: str | None = None

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + _WAIT_S
        while True:
            answer = self._next(until)
            if answer.get("id") == self.count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"the browser said nothing for {_WAIT_S:.0f} s"
            part = os.read(self.read, 1 << 20)
            assert part, "the browser ended"
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, file: Path) -> None:
        """Open a file in a new page that reports requests, faults and what its policy refused."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Page.navigate", url=file.resolve().as_uri())

    def value(self, expression: str) -> Any:
        """Of a JavaScript expression; promises are waited for."""
        found = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Until an expression is true."""
        until = time.monotonic() + _WAIT_S
        while not self.value(expression):
            assert time.monotonic() < until, f"still not: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key, as a user does."""
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        return [one["params"]["request"]["url"] for one in self.events if one["method"] == "Network.requestWillBeSent"]

    def faults(self) -> list[str]:
        """Exceptions, and what console and policy complained about."""
        bad = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [json.dumps(one["params"])[:500] for one in self.events if one["method"] in bad]


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a browser whose profile is an empty folder, and end it."""
    line = [program(), *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    pipes = [os.pipe(), os.pipe()]  # what it reads, what it writes
    # the browser takes them as 3 and 4, so none of ours may lie there already
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for pipe in pipes for end in pipe]
    for pipe in pipes:
        for end in pipe:
            os.close(end)
    theirs_read, ours_write, ours_read, theirs_write = high

    def place() -> None:
        os.dup2(theirs_read, 3)
        os.dup2(theirs_write, 4)

    process = subprocess.Popen(
        line, preexec_fn=place, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs_read)
    os.close(theirs_write)
    try:
        yield Browser(ours_write, ours_read)
    finally:
        os.close(ours_write)
        os.close(ours_read)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
