"""From an address to a `PartFile`: requests for HTTP, redirects and proxies, urllib3's Retry for tries and waits."""

import contextlib
import dataclasses
import re
import time
import urllib.parse

from keras_coatnet.version import __version__
from keras_coatnet.weights.cache import check_space
from keras_coatnet.weights.download.part_file import Note
from keras_coatnet.weights.download.progress import SILENT
from keras_coatnet.weights.download.retry import describe, make_retry, untold_by_urllib3

CHUNK_BYTES = 1 << 18
SHA256 = re.compile(r"[0-9a-f]{64}")


class SourceFailed(Exception):
    """One address did not give the file; the message says why."""


class Interrupted(Exception):
    """An answer broke off; what has arrived is kept."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How long and how often a download is tried; times in seconds.

    Args:
        connect_timeout: for a connection to be made.
        read_timeout: without any byte.
        stall_timeout: with less than `stall_bytes` arriving.
        retries: after a failure, in a row; an answer that brought `stall_bytes` more than any before starts the count
            anew.
        backoff: before the second retry, doubled before each further one.
        longest_wait: between two tries, whatever the server asks for.
        redirects: that are followed.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    stall_timeout: float = 60.0
    stall_bytes: int = 1 << 16
    retries: int = 4
    backoff: float = 0.5
    longest_wait: float = 30.0
    redirects: int = 8


@dataclasses.dataclass(frozen=True)
class Stated:
    """What a server says of the whole file: bytes and sha256, None where it does not."""

    size: int | None = None
    sha256: str | None = None


@contextlib.contextmanager
def session(settings, progress=SILENT):
    """A requests session; it takes proxies, certificates and passwords from where requests' users set them."""
    import requests
    from requests.adapters import HTTPAdapter

    retry = make_retry(settings, progress)
    with requests.Session() as made, untold_by_urllib3(retry):
        adapter = HTTPAdapter(max_retries=retry)
        made.mount("https://", adapter)
        made.mount("http://", adapter)
        made.max_redirects = settings.redirects
        made.headers["User-Agent"] = f"keras-coatnet/{__version__}"
        # A compressed answer has another length than the file, and no ranges of it.
        made.headers["Accept-Encoding"] = "identity"
        made.hooks["response"].append(refuse_downgrade)
        yield made


def refuse_downgrade(response, **_):
    """Called by requests for every answer before it follows a redirect."""
    target = urllib.parse.urljoin(response.url, response.headers.get("Location", ""))
    if response.is_redirect and response.url.startswith("https:") and not target.startswith("https:"):
        response.close()
        raise SourceFailed(f"it redirects from https to {target}, which anyone on the way could answer")


def receive(session, url, part, size, settings, progress):
    """Download into a part until it is as long as the server says.

    Args:
        session: from `session`.
        url: http or https.
        part: `PartFile`, which may hold the beginning.
        size: that the file has to have, None if it is not known.
        settings: `Settings`.
        progress: `Progress`.

    Returns: (`Stated`, whether a beginning from an earlier process was gone on with).
    Raises: SourceFailed; CacheError where the part cannot be written.
    """
    from urllib3.exceptions import MaxRetryError, ProtocolError

    went_on = part.note_for(url) is not None
    retry, furthest = make_retry(settings, progress), part.length
    while True:
        try:
            return receive_once(session, url, part, size, settings, progress), went_on
        except Interrupted as interruption:
            if part.length >= furthest + settings.stall_bytes:
                retry = make_retry(settings, progress)
            furthest = max(furthest, part.length)
            try:
                retry = retry.increment("GET", url, error=ProtocolError(str(interruption)))
            except MaxRetryError:
                raise SourceFailed(f"{interruption}; tried {settings.retries + 1} times in a row") from interruption
            retry.sleep()


def receive_once(session, url, part, size, settings, progress):
    """One request, from where the part ends if the server lets us; `Stated` when all has arrived."""
    note = part.note_for(url)
    if note is not None and note.total == part.length:
        return Stated(note.total, note.sha256)
    with request(session, url, note, part.length, settings) as response:
        # Before the part is touched: a server in trouble, or a login page, says nothing about what has arrived.
        check_answer(response, (200,) if note is None else (200, 206, 416))
        if note is not None and not continues(response, note, part.length):
            part.discard()
            if response.status_code != 200:
                raise Interrupted("the server answered with another part of the file than the one asked for")
            note = None
        stated, total = read_headers(response, part.length if note else 0)
        check_size(total if stated.size is None else stated.size, size)
        if note is None:
            etag = response.headers.get("ETag", "")
            can_go_on = is_strong(etag) and not encoded(response)
            part.begin(Note(url, etag, total, stated.sha256) if can_go_on else None)
        if total is not None:
            check_space(part.path, total - part.length)
        progress.start(part.length, total)
        copy(response, part, total, settings, progress)
    return stated


@contextlib.contextmanager
def request(session, url, note, length, settings):
    """The answer to a request, whose body is not read yet."""
    import requests

    headers = {} if note is None else {"Range": f"bytes={length}-", "If-Range": note.etag}
    try:
        response = session.get(
            url, headers=headers, stream=True, timeout=(settings.connect_timeout, settings.read_timeout)
        )
    except requests.TooManyRedirects:
        raise SourceFailed(f"it redirects more than {settings.redirects} times") from None
    except requests.RequestException as error:
        raise SourceFailed(describe(error, settings)) from error
    with response:
        yield response


def continues(response, note, length):
    """Whether an answer goes on exactly where the part ends, in the same file."""
    if response.status_code != 206 or encoded(response):
        return False
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not found or int(found[1]) != length or response.headers.get("ETag", note.etag) != note.etag:
        return False
    return found[3] == "*" or note.total is None or int(found[3]) == note.total


def check_answer(response, expected):
    if response.status_code not in expected:
        raise SourceFailed(f"{response.status_code} {response.reason}".strip())
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise SourceFailed("it answered with a web page instead of the file")


def read_headers(response, offset):
    """(`Stated`, length of the whole file as far as this answer gives it away)."""
    first, chain = (response.history or [response])[0], [*response.history, response]
    size = next((found for hop in chain if (found := number(hop.headers.get("X-Linked-Size")))), None)
    linked = next((hop.headers["X-Linked-Etag"] for hop in chain if "X-Linked-Etag" in hop.headers), None)
    # Hubs keep large files under their sha256 and say it as the ETag. The storage behind a redirect may have hashes of
    # its own, so that only the hub's answer counts.
    etag = (first.headers.get("ETag", "") if linked is None else linked).strip('"').lower()
    is_hash = SHA256.fullmatch(etag) and etag != first.headers.get("X-Xet-Hash", "").lower()
    length = None if encoded(response) else number(response.headers.get("Content-Length"))
    return Stated(size, etag if is_hash else None), size if length is None else length + offset


def number(text):
    return int(text) if text and text.strip().isdigit() else None


def encoded(response):
    return response.headers.get("Content-Encoding", "identity").lower() != "identity"


def is_strong(etag):
    return etag.startswith('"') and etag.endswith('"') and len(etag) > 2


def check_size(stated, wanted):
    if None not in (stated, wanted) and stated != wanted:
        raise SourceFailed(f"its file has {stated:,} bytes, not {wanted:,}")


def copy(response, part, total, settings, progress):
    """Append the body of an answer to a part.

    Raises: Interrupted where it ends early or stalls; SourceFailed where it is longer than announced.
    """
    window_start, window_bytes = time.monotonic(), 0
    with part.appending() as append:
        for chunk in chunks(response, part, total, settings):
            append(chunk)
            progress.advance(len(chunk))
            if total is not None and part.length > total:
                raise SourceFailed(f"it sends more than the {total:,} bytes it announced")
            window_bytes += len(chunk)
            now = time.monotonic()
            if window_bytes >= settings.stall_bytes:
                window_start, window_bytes = now, 0
            elif now - window_start > settings.stall_timeout and part.length != total:
                raise Interrupted(
                    f"it stalled: {window_bytes:,} bytes in {settings.stall_timeout:g} s, {arrived(part, total)}"
                )
    if total is not None and part.length < total:
        raise Interrupted(f"the connection was cut {arrived(part, total)}")


def arrived(part, total):
    return f"after {part.length:,} bytes" if total is None else f"after {part.length:,} of {total:,} bytes"


def chunks(response, part, total, settings):
    """What arrives, as it arrives: one read of the socket each, so that a trickle cannot hide a stall."""
    import http.client

    from urllib3.exceptions import HTTPError, ReadTimeoutError

    while True:
        try:
            chunk = response.raw.read1(CHUNK_BYTES, decode_content=True)
        except ReadTimeoutError:
            raise Interrupted(f"nothing came for {settings.read_timeout:g} s, {arrived(part, total)}") from None
        except (HTTPError, http.client.HTTPException, OSError) as error:
            raise Interrupted(f"the connection was cut {arrived(part, total)}") from error
        if not chunk:
            return
        yield chunk
