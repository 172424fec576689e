"""A small driver of Debian's chromium over its debugging pipe; needs only the standard library."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars")
KEYS = {"Enter": 13, "Tab": 9, " ": 32, "Escape": 27, "Home": 36, "End": 35}
KEYS |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
TEXTS = {"Enter": "\r", " ": " "}
SHIFT = 8
# the lowest contrast of text with its background, over all visible elements
CONTRAST = """(() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const read = (name) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = name; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = read(getComputedStyle(at).backgroundColor);
      if (found[3]) return found;
    }
    return [255, 255, 255];
  };
  let least = 99, where = "";
  for (const element of document.querySelectorAll("main *, header *, nav *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("option, noscript")) continue;
    const ends = [light(read(getComputedStyle(element).color)), light(behind(element))].sort();
    const ratio = (Math.max(...ends) + 0.05) / (Math.min(...ends) + 0.05);
    if (ratio < least) [least, where] = [ratio, element.outerHTML.slice(0, 120)];
  }
  return [least, where];
})()"""


def find_browser():
    """Return the path of a chromium; None if no chromium is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class BrowserError(AssertionError):
    """The browser refused a command or ended, or a script in the page threw."""


class Browser:
    """One browser with one page.

    Attributes:
        problems: errors of the page's scripts and messages on the console, since `open`.
        requests: URLs that the page has requested since `open`, except its own and data URLs.
    """

    def __init__(self, program, seconds=30.0):
        self.seconds, self.problems, self.requests, self._url = seconds, [], [], None
        self._folder = tempfile.mkdtemp(prefix="ganlab-browser-")
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (reads, writes)]
        actions = [
            (os.POSIX_SPAWN_DUP2, end, place) for end, place in zip(ends, (3, 4), strict=True)
        ]
        actions += [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_WRONLY, 0) for n in (1, 2)]
        options = ["--remote-debugging-pipe", f"--user-data-dir={self._folder}", "about:blank"]
        self._pid = os.posix_spawn(
            program, [program, *FLAGS, *options], os.environ, file_actions=actions, setpgroup=0
        )
        for end in (reads, writes, *ends):
            os.close(end)
        self._buffer, self._number, self._session = b"", 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        """Close the browser, kill it if it does not end, and remove its files."""
        with contextlib.suppress(BrowserError, OSError):
            self._session = None
            self.call("Browser.close")
        os.close(self._to)
        os.close(self._from)
        until = time.monotonic() + 5
        while os.waitpid(self._pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                os.killpg(self._pid, signal.SIGKILL)
            time.sleep(0.02)
        shutil.rmtree(self._folder, ignore_errors=True)

    def call(self, method, **parameters):
        """Send a command of the DevTools protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        until = time.monotonic() + self.seconds
        while True:
            answer = self._receive(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]

    def _receive(self, until):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0, until - time.monotonic()))
            more = os.read(self._from, 1 << 16) if ready else b""
            if not more:
                raise BrowserError("the browser ended or does not answer")
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, event, details):
        if event == "Runtime.exceptionThrown":
            self.problems.append(str(details["exceptionDetails"]))
        elif event == "Log.entryAdded" and details["entry"]["level"] in ("error", "warning"):
            self.problems.append(details["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and details["type"] in ("error", "warning"):
            self.problems.append(str(details["args"]))
        elif event == "Network.requestWillBeSent":
            url = details["request"]["url"]
            if not url.startswith("data:") and url.partition("#")[0] != self._url:
                self.requests.append(url)

    def open(self, path):
        """Open a file, wait until the page is ready, and return the milliseconds until then."""
        self.problems, self.requests, self._url = [], [], Path(path).resolve().as_uri()
        self.call("Page.navigate", url=self._url)
        self.wait("document.documentElement?.dataset.ready")
        return float(self.evaluate("document.documentElement.dataset.ready"))

    def wait(self, expression):
        """Wait until an expression is true."""
        until = time.monotonic() + self.seconds
        while not self.evaluate(expression):
            if time.monotonic() > until:
                raise BrowserError(f"never true: {expression}; {self.problems}")
            time.sleep(0.02)

    def evaluate(self, expression):
        """Return the value of a JavaScript expression, or of its promise, converted by JSON."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def press(self, *keys, shift=False):
        """Press keys one after the other."""
        for key in keys:
            told = {"key": key, "code": "Space" if key == " " else key}
            told |= {"windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper()))}
            told |= {"modifiers": SHIFT if shift else 0}
            text = TEXTS.get(key, key if len(key) == 1 else None)
            more = {"text": text} if text else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **told, **more)
            self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def point(self, x, y):
        """Move the mouse to a place in the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def look(self, width=1280, height=900, dark=False):
        """Set the window's size, and whether the system has a dark theme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path, whole=True):
        """Write a PNG of the whole page or, if not `whole`, of the part that the window shows."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        Path(path).write_bytes(base64.b64decode(data["data"]))


def texts(browser, selector):
    """Return the texts of the visible elements that match a selector."""
    found = f"[...document.querySelectorAll({json.dumps(selector)})]"
    return browser.evaluate(f"{found}.filter(e => e.checkVisibility()).map(e => e.textContent)")


def focus(browser, selector):
    """Give an element the keyboard's focus."""
    browser.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
