"""An HTTP server on loopback that behaves as badly as it is told to, and remembers what it was asked."""

import contextlib
import http.server
import socket
import threading


class Request:
    """What a client asked: the path, its headers, and how many requests for this path came before."""

    def __init__(self, path, headers, number):
        self.path, self.headers, self.number = path, headers, number

    @property
    def range_start(self):
        """First byte asked for; None for the whole."""
        value = self.headers.get("Range", "")
        return int(value.removeprefix("bytes=").rstrip("-")) if value else None


class Server:
    """Serves `routes`: path -> function (handler, request). Made by `serving`."""

    def __init__(self):
        self.routes, self.requests, self.released = {}, [], threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                number = sum(request.path == self.path for request in server.requests)
                request = Request(self.path, dict(self.headers), number)
                server.requests.append(request)
                server.routes.get(self.path, status(404))(self, request)

            def log_message(self, *_):
                pass

        class QuietServer(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients that hang up are part of the tests

        self.http = QuietServer(("127.0.0.1", 0), Handler)

    def url(self, path):
        return f"http://127.0.0.1:{self.http.server_port}{path}"

    def paths(self):
        return [request.path for request in self.requests]


@contextlib.contextmanager
def serving():
    """A running `Server`; stops, and lets go of whoever it holds back, at the end of the block."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def send(handler, code, headers, body=b"", length=None):
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(body)
        handler.wfile.flush()


def hang_up(handler):
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def file(data, *, ranges=True, etag='"v1"', cuts=(), headers=(), content_range=None, stated=None):
    """A file.

    Args:
        data: its bytes.
        ranges: whether parts of it can be asked for.
        etag: None for none.
        cuts: the first answers end after so many bytes of the file and the connection with them; (0.5,) for the half.
        headers: more headers.
        content_range: what partial answers say of themselves, if not the truth.
        stated: length that whole answers announce, if not the truth.
    """

    def answer(handler, request):
        start, more = 0, dict(headers)
        if etag is not None:
            more["ETag"] = etag
        code = 200
        if ranges and request.range_start is not None and request.headers.get("If-Range", etag) == etag:
            start, code = request.range_start, 206
            more["Content-Range"] = content_range or f"bytes {start}-{len(data) - 1}/{len(data)}"
        end = len(data)
        if request.number < len(cuts):
            end = max(start, int(len(data) * cuts[request.number]))
        send(handler, code, more, data[start:end], length=stated if stated and not start else len(data) - start)
        if end < len(data):
            hang_up(handler)

    return answer


def status(code, times=None, then=None, body=b"", headers=()):
    """A status instead of a file, for the first `times` requests or all."""

    def answer(handler, request):
        if times is None or request.number < times:
            send(handler, code, dict(headers), body)
        else:
            then(handler, request)

    return answer


def without_length(data, headers=()):
    """A file whose end is the end of the connection."""

    def answer(handler, request):
        handler.send_response(200)
        for name, value in {"Connection": "close", **dict(headers)}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)
        handler.wfile.flush()
        hang_up(handler)

    return answer


def redirect(target, headers=()):
    return status(302, headers={"Location": target, **dict(headers)})


def stalling(server, data, after=None):
    """Nothing at all, or the first `after` bytes, and then silence until the end of the test."""

    def answer(handler, request):
        if after is not None:
            send(handler, 200, {}, data[:after], length=len(data))
        server.released.wait()
        hang_up(handler)

    return answer


def held(server, then):
    """No answer before `server.released` is set."""

    def answer(handler, request):
        server.released.wait()
        then(handler, request)

    return answer
