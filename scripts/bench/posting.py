"""Sends lines to a service with as little work of its own as can be: bodies are made before, and only their bytes are sent."""

import itertools
import socket
import threading
import zlib

from service import TOKEN

LINES_PER_BATCH = 1_000
CONNECTIONS = 4


def batches(lines):
    """Bodies of so many lines each, of an open file or a pipe."""
    return iter(lambda: b"".join(itertools.islice(lines, LINES_PER_BATCH)), b"")


def gzipped(body):
    """As Fastly does at its usual level."""
    squeeze = zlib.compressobj(level=3, wbits=31)
    return squeeze.compress(body) + squeeze.flush()


def request(body, encoding=None):
    head = f"POST /fastly HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Encoding: {encoding}\r\n" if encoding else ""
    return head.encode() + b"\r\n" + body


class Connection:
    """One kept-alive HTTP/1.1 connection; a request at a time."""

    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.socket.makefile("rb")

    def post(self, request):
        self.socket.sendall(request)
        status = self.answers.readline()
        if b" 200 " not in status:
            raise RuntimeError(f"the service answered {status!r}")
        length = 0
        while (line := self.answers.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        self.answers.read(length)

    def close(self):
        self.answers.close()
        self.socket.close()


def in_parallel(work, threads=CONNECTIONS):
    """Calls `work` with each number in a thread of its own; fails if one does."""
    failed = []

    def guarded(number):
        try:
            work(number)
        except Exception as error:  # told below, by the thread that waits
            failed.append(error)

    running = [threading.Thread(target=guarded, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failed:
        raise failed[0]


def post_all(address, requests):
    """As fast as they are acknowledged, over some connections."""

    def work(number):
        connection = Connection(address)
        for body in requests[number::CONNECTIONS]:
            connection.post(body)
        connection.close()

    in_parallel(work)


def send_syslog(address, streams):
    """Each stream over a connection of its own, to its end."""

    def work(number):
        with socket.create_connection(address) as connection:
            for piece in streams[number]:
                connection.sendall(piece)

    in_parallel(work, len(streams))
