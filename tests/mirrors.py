"""A server on loopback for the tests of downloads, and certificates for servers."""

import http.server
import re
import subprocess
import threading
import time


def write_certificate(folder, name, *options):
    """Write a key, key.pem, and a certificate that is its own authority, cert.pem, by openssl."""
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj".split()
    subprocess.run([*words, "/CN=" + name, *options], cwd=str(folder), check=True, stderr=subprocess.DEVNULL)


class Mirror(http.server.ThreadingHTTPServer):
    """A server that gives out files as its `behaviour` says and notes what is asked."""

    daemon_threads = True

    def __init__(self, files, behaviour="ok"):
        self.files, self.behaviour, self.requests, self.ranges = files, behaviour, [], []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:{}/".format(self.server_address[1])
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(self.path)
        server.ranges.append(self.headers.get("Range"))
        content = server.files.get(self.path[1:])
        if server.behaviour == "drips a redirect":
            self.wfile.write(b"HTTP/1.1 302 Found\r\nX: ")
            self.drip(b"x" * 1000)
            return
        if server.behaviour.startswith("to "):
            self.send_response(302)
            self.send_header("Location", server.behaviour[3:])
            if "bomb" in server.files:
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(server.files["bomb"])))
            self.end_headers()
            self.wfile.write(server.files.get("bomb", b""))
            return
        if server.behaviour == "rude":
            self.send_response(404, "\x1b[2Jgone")
            self.end_headers()
            return
        if server.behaviour == "missing" or content is None:
            self.send_error(404)
            return
        if server.behaviour == "wrong":
            content = content[::-1]
        if server.behaviour == "page":
            content = b"<html>Please log in</html>"
        if self.headers.get("Range") and server.behaviour != "no ranges":
            start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"]).group(1))
            if start >= len(content):
                self.send_response(416)
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", "bytes {}-{}/{}".format(start, len(content) - 1, len(content)))
            content = content[start:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        if server.behaviour == "encoded":  # as stores do that were told so when the file came in
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if server.behaviour == "drips":
            self.wfile.write(content[:20000])
            self.drip(content[20000:])
            return
        if server.behaviour == "silent":
            time.sleep(3)
        if server.behaviour == "truncated":
            content = content[: len(content) // 2]
        if server.behaviour == "slow":
            for i in range(0, len(content), len(content) // 4 + 1):
                self.wfile.write(content[i : i + len(content) // 4 + 1])
                time.sleep(0.1)
            return
        self.wfile.write(content)

    def drip(self, content):
        """A byte now and then, which no timeout between bytes ends."""
        try:
            for byte in content:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        except OSError:  # the other end has had enough
            pass

    def log_message(self, *args):
        pass
