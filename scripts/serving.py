"""Files of this machine served on loopback as if they were released ones, and the rows of a manifest that name them."""

import functools
import hashlib
import http.server
import threading


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder):
    """A server of a folder's files; returns its base url."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def served_file(file, url, path):
    """A file of a manifest row with the address and the hash of the one that is served in its place."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = {"sha256": digest, "size": path.stat().st_size, "sha256_prefix": None, "md5": None}
    return {**file, "url": f"{url}/{path.name}", **known}
