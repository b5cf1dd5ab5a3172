"""Servers on 127.0.0.1 that answer as no MLflow does, for tests of how long and how much a command takes of them."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

PAUSE_SECONDS = 0.5  # between two bytes of a server that drips


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket, str], None]) -> Iterator[int]:
    """Answer each request by ``answer``, which gets the connection and the request; yields the port."""
    closing = threading.Event()

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            while not closing.is_set() and (request := _request(connection)):
                answer(connection, request)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        closing.set()
        listener.shutdown(socket.SHUT_RDWR)


def _request(connection) -> str:
    text = b""
    while b"\r\n\r\n" not in text:
        part = connection.recv(65536)
        if not part:
            return ""
        text += part
    head, _, body = text.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return (head + b"\r\n\r\n" + body).decode("latin-1")


def respond(status: str, body: bytes | str = b"", **headers: str):
    """An answer of one status and body."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *lines]) + "\r\n\r\n"
    return lambda connection, request: connection.sendall(head.encode("latin-1") + content)


def refusal(text: str, status: str = "400 Bad Request"):
    """An answer that refuses as MLflow does, with a text."""
    return respond(status, json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": text}))


def drip(head: str = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"):
    """An answer whose bytes come one after the other, so slowly that it has no end."""

    def answer(connection, request):
        connection.sendall(head.encode())
        while True:
            connection.sendall(b"a")
            time.sleep(PAUSE_SECONDS)

    return answer


def flood(status: str = "200 OK", unit: bytes = b"a" * 2**20):
    """An answer without end, as fast as it is taken."""

    def answer(connection, request):
        connection.sendall(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode())
        while True:
            connection.sendall(unit)

    return answer


def silence(connection, request):
    """No answer."""
    time.sleep(1000)


def echo(connection, request):
    """A refusal that repeats what was asked, the authorization and the address among it."""
    refusal("you sent " + " ".join(request.split()))(connection, request)


def pages_without_end(connection, request):
    """An experiment, and a search of its runs that always has one more page."""
    if "runs/search" in request:
        respond("200 OK", json.dumps({"runs": [], "next_page_token": "more"}))(connection, request)
    else:
        experiment = {"experiment_id": "1", "name": "tiny", "lifecycle_stage": "active", "artifact_location": "x"}
        respond("200 OK", json.dumps({"experiment": experiment}))(connection, request)
