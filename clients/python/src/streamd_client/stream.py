"""The stream for programs that wait: a thread takes what comes, and keeps the newest picture."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import Any, Dict, Iterator, Optional, Union

from .errors import Ended
from .frame import Frame
from .plan import SILENCE, Plan, ended, pause
from .session import Session

#: Bytes read at once.
_READ = 256 * 1024

#: Seconds a connection may take.
_CONNECT = 10.0

#: Seconds after which the thread looks whether there is something to say.
_TURN = 0.1


class Stream:
    """A camera's pictures, the newest first and only.

    ::

        with Stream("robot.local:8002", fps=15) as stream:
            for frame in stream:
                print(frame.sequence, frame.latency, frame.array().shape)

    However long the program takes with a picture, the next one that it gets is the newest there is: what
    came meanwhile is left out, and the server is told so, so that it sends no more than is taken. A
    connection that is lost comes back by itself (``reconnect``); "no signal" pictures are left out, unless
    ``stand_ins`` is True, and :attr:`lost` says why there are no others.

    ``address``
        ``HOST:PORT`` of the camera, ``tls://HOST:PORT``, or ``unix:/PATH``.
    ``camera``
        Its name, where the port is another one's.
    ``name``, ``token``
        Who this is, for ``streamctl clients``; and what proves it, where the server asks for that.
    ``tls``
        True, or an ``ssl.SSLContext`` (for a certificate of one's own).
    ``fps``, ``quality``, ``max_width``, ``paused``
        At most so many pictures a second (0.1-1000), JPEG quality (1-100), pixels across (16-16384).
    """

    def __init__(
        self,
        address: str = "127.0.0.1:8002",
        *,
        camera: Optional[str] = None,
        name: Optional[str] = None,
        token: Optional[str] = None,
        tls: Union[bool, ssl.SSLContext, None] = None,
        reconnect: bool = True,
        stand_ins: bool = False,
        **wanted: Any,
    ):
        self._plan = Plan(address, camera, name, token, tls, reconnect, stand_ins, wanted)
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._session: Optional[Session] = None
        self._socket: Optional[socket.socket] = None
        self._newest: Optional[Frame] = None
        self._taken: Optional[Frame] = None
        self._over: Optional[BaseException] = None
        self._trouble = ""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"streamd {self._plan.address}", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Ends when the stream is closed; raises :class:`Ended` where it ends otherwise."""
        while True:
            try:
                frame = self.read()
            except Ended:
                if self._closed:
                    return
                raise
            yield frame

    def read(self, timeout: Optional[float] = None) -> Frame:
        """Waits for a picture that has not been read yet, and gives the newest.

        Raises ``TimeoutError`` after ``timeout`` seconds (None: never) and :class:`Ended` when there will be
        no more.
        """
        with self._news:
            fresh = self._news.wait_for(lambda: self._newest is not self._taken or self._over, timeout)
            if not fresh:
                raise TimeoutError(f"{self._plan.address}: {self._why_none()}")
            if self._newest is self._taken:
                assert self._over is not None
                raise self._over
            self._taken = self._newest
            assert self._taken is not None
            return self._taken

    def latest(self) -> Optional[Frame]:
        """The newest picture, read or not; None before the first."""
        return self._newest

    def want(self, **wanted: Any) -> None:
        """Changes what is asked for: ``fps``, ``quality``, ``max_width`` (0: no limit), ``paused``."""
        with self._lock:
            self._plan.want(wanted)
            if self._session is not None:
                self._session.want(wanted)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._socket is not None

    @property
    def lost(self) -> Optional[str]:
        """Why there are no pictures: the camera has no signal, or there is no connection; else None."""
        session = self._session
        if session is None or self._socket is None:
            return self._trouble or "not connected yet"
        return session.lost

    @property
    def welcome(self) -> Optional[Dict[str, Any]]:
        """What the server has said of itself and the camera: size, fps, quality, cameras."""
        session = self._session
        return session.welcome if session else None

    @property
    def rendition(self) -> Optional[Dict[str, Any]]:
        """What the pictures are at present, and why, if they are not the best there is."""
        session = self._session
        return session.rendition if session else None

    def close(self) -> None:
        """Ends the stream."""
        self._closed = True
        connection = self._socket
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._end(Ended("the stream is closed"))
        if self._thread is not threading.current_thread():
            self._thread.join(_CONNECT + 1)

    def _why_none(self) -> str:
        return self.lost or "no picture came"

    def _end(self, why: BaseException) -> None:
        with self._news:
            self._over = self._over or why
            self._news.notify_all()

    def _run(self) -> None:
        failures = 0
        while not self._closed:
            with self._lock:
                session = self._plan.begin()
            try:
                self._live(session)
            except Ended as over:
                self._end(over)
                return
            except OSError as error:
                self._trouble = str(error) or type(error).__name__
            finally:
                self._socket = None
            failures = 0 if session.welcome else failures + 1
            if not self._plan.reconnect:
                self._end(Ended(f"{self._plan.address}: {self._trouble}"))
                return
            end = time.monotonic() + pause(failures)
            with self._news:
                self._news.wait_for(lambda: self._closed, max(0.0, end - time.monotonic()))

    def _live(self, session: Session) -> None:
        """One connection, from its beginning to its end. No other thread reads or writes it."""
        with _connect(self._plan) as connection:
            begin = heard = time.monotonic()
            self._session, self._socket = session, connection
            connection.settimeout(_TURN)
            while not self._closed:
                if time.monotonic() - begin >= session.next_ping():
                    with self._lock:
                        session.ping(time.time())
                self._send(session, connection)
                try:
                    data = connection.recv(_READ)
                except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
                    if time.monotonic() - heard > SILENCE:
                        raise OSError(f"nothing came for {SILENCE:.0f} s") from None
                    continue
                if not data:
                    raise ended(session, self._plan)
                heard = time.monotonic()
                with self._news:
                    frames = session.feed(data, time.time())
                    shown = [frame for frame in frames if self._plan.stand_ins or not frame.stand_in]
                    if shown:
                        self._newest = shown[-1]
                        self._news.notify_all()

    def _send(self, session: Session, connection: socket.socket) -> None:
        with self._lock:
            data = bytes(session.outgoing)
        if not data:
            return
        try:
            sent = connection.send(data)
        except (TimeoutError, socket.timeout, ssl.SSLWantWriteError):
            return
        with self._lock:
            del session.outgoing[:sent]


def _connect(plan: Plan) -> socket.socket:
    address = plan.address
    if address.path is not None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_CONNECT)
            connection.connect(address.path)
        except BaseException:
            connection.close()
            raise
        return connection
    connection = socket.create_connection((address.host, address.port), _CONNECT)
    try:
        # A receipt must not wait for the next one.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if plan.tls is not None:
            return plan.tls.wrap_socket(connection, server_hostname=address.host)
    except BaseException:
        connection.close()
        raise
    return connection
