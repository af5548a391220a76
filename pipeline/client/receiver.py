"""The thread that empties the sockets, so that what a slow program sees is never old.

A backlog would lie in the kernel and in libzmq, out of reach: a program that needs 200 ms per
message was 6.5 s behind after 8 s. Here everything is taken at once, and the mailbox decides.
"""

import logging
import threading
from collections.abc import Sequence

from ..clock import Clock
from ..errors import StreamError
from ..wire import FrameKind, unpack
from .books import Books
from .mailbox import Letter, Mailbox
from .sockets import Parts
from .transport import Transport

POLL_MS = 50
LOG_GAP_NS = 60_000_000_000

log = logging.getLogger("maskstream.client")


class Receiver:
    """Owns the thread that reads the transport; fills the mailbox and keeps the books."""

    def __init__(
        self,
        transport: Transport,
        kinds: Sequence[FrameKind],
        mailbox: Mailbox,
        books: Books,
        clock: Clock,
        *,
        until_end: bool,
    ) -> None:
        self.heard_ns = clock.now_ns()
        self._transport = transport
        self._kinds = kinds
        self._mailbox = mailbox
        self._books = books
        self._clock = clock
        self._until_end = until_end
        self._logged_ns = clock.now_ns() - LOG_GAP_NS
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maskstream-client", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, which closes the sockets."""
        self._stop.set()
        self._thread.join()

    def reject(self, error: StreamError) -> None:
        """Count a message that is none of this protocol; log one a minute."""
        count = self._books.rejected()
        now_ns = self._clock.now_ns()
        if now_ns - self._logged_ns >= LOG_GAP_NS:
            self._logged_ns = now_ns
            log.warning("rejected %d messages so far; this one: %s", count, error)

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            while not self._stop.is_set() and not self._is_over():
                for parts in self._transport.receive(POLL_MS):
                    self._sort(parts)
        except BaseException as error:  # it belongs to the program that iterates
            failure = error
        finally:
            self._transport.close()
            self._mailbox.finish(failure)

    def _is_over(self) -> bool:
        return self._until_end and self._transport.is_over()

    def _sort(self, parts: Parts) -> None:
        self.heard_ns = self._clock.now_ns()
        letter = None
        try:
            letter = self._transport.open(parts)
            if letter is not None:
                self._accept(letter)
        except StreamError as error:
            if letter is not None:
                self._transport.void(letter)
            self.reject(error)

    def _accept(self, letter: Letter) -> None:
        envelope = letter.envelope
        if envelope.kind == "status":
            status = unpack(envelope, letter.parts).status
            if status is not None:
                self._books.note(status, envelope.publisher, self._clock.now_ns())
                self._transport.learn(status, envelope.publisher)
        elif envelope.kind in self._kinds:
            self._books.enter(envelope, letter.skipped, letter.session)
            older = self._mailbox.put(letter)
            if older is not None:
                self._books.skipped(older.envelope)
