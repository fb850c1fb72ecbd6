"""A headless Chromium, driven over the DevTools protocol with nothing but the standard library."""

import base64
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
WINDOWS = {"desktop": {"width": 1200}, "phone": {"width": 390, "phone": True}}

# What is to be seen and hardly is: text below a contrast of 4.5 with what is behind it, shapes and
# bars below 3 (WCAG 2.1, 1.4.3 and 1.4.11). Lines in the colour of --line only help the eye.
FAINT = """(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const solid = (colour) => colour !== "none" && (numbers(colour)[3] ?? 1) > 0;
  const luminance = (colour) => numbers(colour).slice(0, 3).map((x) => x / 255)
    .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, n) => sum + x * [0.2126, 0.7152, 0.0722][n], 0);
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (node) => {
    for (; node; node = node.parentElement)
      if (solid(getComputedStyle(node).backgroundColor)) return getComputedStyle(node).backgroundColor;
    throw new Error("the page has no colour");
  };
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "var(--line)";
  const line = getComputedStyle(probe).color;
  probe.remove();
  const faint = new Set();
  const see = (node, colour, back, least) => {
    if (!solid(colour) || colour === line || contrast(colour, back) >= least) return;
    faint.add(`${node.tagName} ${node.className?.baseVal ?? node.className}: ${colour} on ${back}, ` +
      contrast(colour, back).toFixed(2));
  };
  for (const node of document.body.querySelectorAll("*")) {
    const style = getComputedStyle(node);
    if (!node.getClientRects().length || style.visibility !== "visible" || node.disabled) continue;
    const back = behind(node.parentElement);
    if (node instanceof SVGElement) {
      if (node.tagName === "text") see(node, style.fill, back, 4.5);
      else if (solid(style.stroke)) see(node, style.stroke, back, 3);
      else if (!/^(svg|g|line|polyline)$/.test(node.tagName)) see(node, style.fill, back, 3);
    } else if ([...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
      see(node, style.color, behind(node), 4.5);
    else if (parseFloat(style.borderTopWidth) && solid(style.backgroundColor))
      see(node, style.borderTopColor, style.backgroundColor, 3);
    else if (!node.children.length && !/IMG|CANVAS|INPUT/.test(node.tagName))
      see(node, style.backgroundColor, back, 3);
  }
  return [...faint];
})()"""



def check(good, what):
    if not good:
        raise AssertionError(what)


def look_at(what, look, folder=None):
    """look(browser) opens a page in a window of each size, which is then checked; screenshots of it go to
    folder/WHAT-*.png."""
    for name, window in WINDOWS.items():
        with Browser(**window) as browser:
            look(browser)
            browser.check(folder and os.path.join(folder, f"{what}-{name}"))


def find():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class WebSocket:
    """Text frames over a plain socket (RFC 6455)."""

    def __init__(self, url):
        host, port, path = re.fullmatch(r"ws://([^:/]+):(\d+)(/.*)", url).groups()
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(f"no websocket: {head!r}")

    def _more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the browser went away")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        length = (
            struct.pack("!B", 0x80 | size) if size < 126
            else struct.pack("!BH", 0x80 | 126, size) if size < 1 << 16
            else struct.pack("!BQ", 0x80 | 127, size)
        )
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        self.socket.sendall(b"\x81" + length + mask + masked)

    def receive(self):
        message = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._take(8))
            data = self._take(size)
            if first & 0x0F in (0, 1, 2):
                message += data
                if first & 0x80:
                    return message.decode()


class Browser:
    """One page. `errors` are what went wrong in it: exceptions, console errors, failed requests."""

    def __init__(self, width=1200, height=900, phone=False):
        self.folder = tempfile.mkdtemp(prefix="mereo-browser-")
        command = [find(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--hide-scrollbars", "--no-first-run", "--remote-debugging-port=0",
                   f"--user-data-dir={self.folder}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._connect(width, height, phone)
        except BaseException:
            self.close()
            raise

    def _connect(self, width, height, phone):
        port_file, end = os.path.join(self.folder, "DevToolsActivePort"), time.time() + 60
        while not (os.path.exists(port_file) and open(port_file).read().count("\n")):
            if time.time() > end or self.process.poll() is not None:
                raise RuntimeError("the browser does not start")
            time.sleep(0.05)
        port, path = open(port_file).read().split("\n")[:2]
        self.socket = WebSocket(f"ws://127.0.0.1:{port}{path}")
        self.number, self.session, self.errors, self.events = 0, None, [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.receive())
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._hear(answer)

    def _hear(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        self.events.append(method)
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            self.errors.append(json.dumps(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(json.dumps(parameters["entry"]))

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def run(self, expression):
        """The value of an expression of JavaScript, awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression, seconds=30):
        """Until it is true; returns its value."""
        end = time.time() + seconds
        while not (value := self.run(expression)):
            if time.time() > end:
                raise AssertionError(f"never true: {expression}; errors: {self.errors}")
            time.sleep(0.05)
        return value

    def box(self, selector):
        """left, top, width, height of an element that has been scrolled to."""
        self.run(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        return self.run(
            f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [b.left, b.top, b.width, b.height]; })()"
        )

    def mouse(self, kind, x, y):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                  clickCount=1)

    def drag(self, points):
        """Press at the first point, move along the others, release."""
        self.mouse("mousePressed", *points[0])
        for point in points[1:]:
            self.mouse("mouseMoved", *point)
        self.mouse("mouseReleased", *points[-1])

    def key(self, name):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name,
                      windowsVirtualKeyCode={"ArrowLeft": 37, "ArrowRight": 39}[name])

    def scheme(self, name):
        """"light" or "dark"."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def check(self, screenshot=None):
        """That all is to be seen, by day and by night, that nothing went wrong and that the page is
        as wide as the window. Screenshots of all of it go to `screenshot`-light.png and -dark.png."""
        for name in ("dark", "light"):
            self.scheme(name)
            faint = self.run(FAINT)
            assert not faint, f"{name}: too faint: {faint}"
            wide = self.run("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"the page is {wide} pixels too wide"
            if screenshot:
                self.screenshot(f"{screenshot}-{name}.png")
        assert not self.errors, f"errors: {self.errors}"

    def screenshot(self, path):
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
