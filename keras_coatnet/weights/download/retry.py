"""Tries after the first: urllib3's Retry counts them and waits between them; whoever waits is told why in our words."""

import contextlib
import logging
import re

WORTH_A_RETRY = (408, 425, 429, 500, 502, 503, 504)


def make_retry(settings, progress):
    """urllib3's Retry, for whole requests and for streams that break off.

    Args:
        settings: `Settings`.
        progress: `Progress` that is told of each further try.
    """
    from urllib3.util.retry import Retry

    class ToldRetry(Retry):
        def get_retry_after(self, response):
            asked = super().get_retry_after(response)
            return asked if asked is None else min(asked, settings.longest_wait)

        def increment(self, method=None, url=None, response=None, error=None, _pool=None, _stacktrace=None):
            following = super().increment(method, url, response, error, _pool, _stacktrace)
            reason = describe(error, settings) if response is None else f"{response.status} {response.reason}"
            progress.retry(f"{reason}; try {len(following.history) + 1} of {settings.retries + 1}")
            return following

    return ToldRetry(
        total=settings.retries,
        status_forcelist=WORTH_A_RETRY,
        backoff_factor=settings.backoff,
        backoff_max=settings.longest_wait,
        raise_on_status=False,
    )


@contextlib.contextmanager
def untold_by_urllib3(retry):
    """Inside this block urllib3 does not log the tries of `retry`, which are told already; any other's it does."""

    def is_of_others(record):
        return not (isinstance(record.args, tuple) and record.args and isinstance(record.args[0], type(retry)))

    logger = logging.getLogger("urllib3.connectionpool")
    logger.addFilter(is_of_others)
    try:
        yield
    finally:
        logger.removeFilter(is_of_others)


def describe(error, settings):
    """What an error of requests or urllib3 means. They hold the system's; the innermost words say most."""
    import requests
    from urllib3.exceptions import ReadTimeoutError

    chain = [error]
    while inner := find_inner(chain[-1]):
        chain.append(inner)
    words = re.sub(r"^<.*?>: |^\w*Connection\(.*?\): ", "", str(chain[-1]) or type(chain[-1]).__name__)
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy could not be used: {words}"
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection: {words}"
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {settings.connect_timeout:g} s"
    if any(isinstance(link, ReadTimeoutError) for link in chain):
        return f"no answer within {settings.read_timeout:g} s"
    return f"no connection: {words}" if isinstance(error, requests.ConnectionError) else words


def find_inner(error):
    """The error inside an error, None at the innermost."""
    candidates = (getattr(error, "reason", None), *error.args)
    return next((found for found in candidates if isinstance(found, BaseException)), None)
