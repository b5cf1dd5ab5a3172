"""Answers of MLflow servers: of bounded size, in bounded time, from the server that was asked."""

import time
from typing import Any
from urllib.parse import urljoin, urlsplit

from sweeper.addresses import mask_secrets

MAX_ANSWER_BYTES = 64_000_000  # of 200 runs, the most that are asked for at once, MLflow sends 2 MB
ANSWER_SECONDS = 20.0  # for the body of an answer, which a server may send byte by byte
_CHUNK_BYTES = 2**16


class AnswerError(Exception):
    """An answer that is not taken: too long, too slow, or from elsewhere."""


def bound_answers(adapter: Any) -> None:
    """Let the class of MLflow's HTTP adapters read answers by parts and refuse redirections to another host.

    Requests reads an answer whole, into memory, however long it is and however long it takes.

    Args:
        adapter: a subclass of ``requests.adapters.HTTPAdapter``; a second call changes nothing.
    """
    if "send" in vars(adapter):
        return
    send = adapter.send

    def send_bounded(self: Any, request: Any, stream: bool = False, **options: Any) -> Any:
        response = send(self, request, stream=True, **options)
        try:
            _refuse_redirection(request.url, response)
            if not stream:
                response._content = _read(response.raw)
                response._content_consumed = True
        except BaseException:
            response.close()
            raise
        return response

    adapter.send = send_bounded


def _refuse_redirection(asked: str, response: Any) -> None:
    """Raise an ``AnswerError`` for an answer that sends the request, and what is in it, to another host."""
    location = response.headers.get("Location")
    if location is None or not 300 <= response.status_code < 400:
        return
    target, origin = urlsplit(urljoin(asked, location)), urlsplit(asked)
    if target.hostname != origin.hostname or (origin.scheme, target.scheme) == ("https", "http"):
        raise AnswerError(f"if you trust it, give the address to which it redirects: {mask_secrets(target.geturl())}")


def _read(raw: Any) -> bytes:
    """Read the body of an answer.

    Raises:
        AnswerError: it is too long, or takes too long.
    """
    parts, size, until = list[bytes](), 0, time.monotonic() + ANSWER_SECONDS
    while part := raw.read1(_CHUNK_BYTES, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise AnswerError(f"it answers with more than {MAX_ANSWER_BYTES:,} bytes")
        if time.monotonic() > until:
            raise AnswerError(f"its answer takes more than {ANSWER_SECONDS:g} s")
    return b"".join(parts)
