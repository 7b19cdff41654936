"""Results that take long to download, at a steady pace: `python -m tests.benchmarks.faucet PORT SIZE RATE` (bytes)."""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 256 * 1024


def serve(port: int, size: int, rate: int) -> None:
    """Answer every GET with `size` bytes that begin as an MP4 does, `rate` of them a second."""

    class Faucet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            began, sent = time.monotonic(), 0
            while sent < size:
                self.wfile.write(b"\0\0\0\x18ftypisom" + bytes(CHUNK - 12) if sent == 0 else bytes(CHUNK))
                sent += CHUNK
                time.sleep(max(0, began + sent / rate - time.monotonic()))

        def log_message(self, *args: object) -> None:
            """Nothing is printed."""

    ThreadingHTTPServer(("127.0.0.1", port), Faucet).serve_forever()


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:4]))
