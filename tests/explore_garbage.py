"""What build/explore answers to questions that are none, too large, or never end.

    explore_garbage.py URL PID
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from browser import check  # noqa: E402


class Peer:
    def __init__(self, url, process):
        self.place, self.process = url.split("/")[2], process

    def answer(self, path, body=None, headers=None, method=None):
        """The status; a refusal says why."""
        connection = http.client.HTTPConnection(self.place, timeout=30)
        headers = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method or ("GET" if body is None else "POST"), "/" + path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        check(answer.status == 200 or json.loads(text)["error"], f"a refusal without a reason: {text!r}")
        return answer.status

    def memory(self):
        """The most that the program has used, in MiB; 0 where that is not told."""
        try:
            with open(f"/proc/{self.process}/status") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
        except OSError:
            return 0

    def dawdler(self, head):
        host, port = self.place.split(":")
        connection = socket.create_connection((host, int(port)))
        connection.sendall(f"{head}\r\nHost: {self.place}\r\n".encode())
        return connection


def garbage(peer):
    good = json.dumps({"pixels": [0] * 784}).encode()
    check(peer.answer("explain", good) == 200, "a blank picture is refused")
    for what, path, data, headers, want in [
        ("no JSON", "explain", b"\xff\xfe{", None, 400),
        ("an empty question", "explain", b"", None, 400),
        ("too few pixels", "explain", b'{"pixels": [0, 1]}', None, 400),
        ("a pixel too bright", "explain", good.replace(b"[0,", b"[2,", 1), None, 400),
        ("a pixel that is no number", "explain", good.replace(b"[0,", b"[[],", 1), None, 400),
        ("a class that is not there", "explain", good[:-1] + b', "class": 10}', None, 400),
        ("a pose of no numbers", "explain", good[:-1] + b', "pose": "x"}', None, 400),
        ("deep nesting", "explain", b"[" * 100000, None, 400),
        ("no picture", "read", b"GIF89a", None, 400),
        ("a form", "read", b"--x--", {"Content-Type": "multipart/form-data; boundary=x"}, 404),
        ("a body elsewhere", "about", b"x", None, 404),
        ("another path", "etc/passwd", None, None, 404),
        ("a path that climbs", "../../etc/passwd", None, None, 404),
        ("another site's name", "about", None, {"Host": "evil.example:80"}, 403),
    ]:
        got = peer.answer(path, data, headers)
        check(got == want, f"{what}: {got} instead of {want}")
    check(peer.answer("explain", method="PUT") == 404, "another method")


def too_large(peer):
    """A length that is stated, one that is not, and one that is small until it is unpacked."""
    before = peer.memory()
    piece = bytes(1 << 20)
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(piece) for _ in range(256)) + packer.flush()
    for body, headers in [(piece * 9, None), ((piece for _ in range(256)), None), (bomb, {"Content-Encoding": "gzip"})]:
        check(peer.answer("read", body, headers) == 413, "more than is taken")
    grown = peer.memory() - before
    check(grown < 100, f"what is too large takes {grown:.0f} MiB")
    with contextlib.suppress(OSError):  # it hangs up before all is sent
        check(peer.answer("other", (piece for _ in range(256))) == 404, "a large body elsewhere")
    grown = peer.memory() - before
    check(grown < 100, f"what is too large elsewhere takes {grown:.0f} MiB")


def slow(peer):
    """Those who never end hold up neither others nor the end."""
    ends = "POST /explain HTTP/1.1\r\nContent-Length: 99999", "GET / HTTP/1.1"
    dawdlers = [peer.dawdler(head) for head in ends for _ in range(6)]
    start = time.monotonic()
    check(peer.answer("about") == 200, "no answer beside dawdlers")
    check(time.monotonic() - start < 3, "dawdlers hold up others")
    os.kill(peer.process, signal.SIGTERM)
    for _ in range(80):
        for dawdler in dawdlers:
            with contextlib.suppress(OSError):
                dawdler.sendall(b"x")
        time.sleep(0.1)
        # A zombie until the shell that started it waits.
        state = os.popen(f"ps -o stat= -p {peer.process}").read()
        if not state or "Z" in state:
            return
    raise AssertionError("dawdlers keep it from ending")


def main():
    peer = Peer(sys.argv[1], int(sys.argv[2]))
    garbage(peer)
    too_large(peer)
    check(peer.answer("about") == 200, "garbage ended the server")
    slow(peer)


main()
