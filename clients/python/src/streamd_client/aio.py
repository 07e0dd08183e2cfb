"""The stream for programs with asyncio."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any, AsyncIterator, Dict, Optional, Union

from .errors import Ended
from .frame import Frame
from .plan import SILENCE, Plan, ended, pause
from .session import Session

#: Bytes read at once.
_READ = 256 * 1024

#: Seconds a connection may take.
_CONNECT = 10.0


class AsyncStream:
    """A camera's pictures, the newest first and only: :class:`streamd_client.Stream` for asyncio.

    ::

        async with AsyncStream("robot.local:8002", fps=15) as stream:
            async for frame in stream:
                print(frame.sequence, frame.latency)
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
        self._news: asyncio.Condition
        self._session: Optional[Session] = None
        self._writer: Optional[asyncio.StreamWriter] = None
        self._newest: Optional[Frame] = None
        self._taken: Optional[Frame] = None
        self._over: Optional[BaseException] = None
        self._trouble = ""
        self._closed = False
        self._task: Optional["asyncio.Task[None]"] = None

    async def __aenter__(self) -> "AsyncStream":
        self._news = asyncio.Condition()
        self._task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """Ends when the stream is closed; raises :class:`Ended` where it ends otherwise."""
        while True:
            try:
                frame = await self.read()
            except Ended:
                if self._closed:
                    return
                raise
            yield frame

    async def read(self) -> Frame:
        """Waits for a picture that has not been read yet, and gives the newest. See ``asyncio.wait_for``."""
        if self._task is None:
            raise RuntimeError("use `async with AsyncStream(…) as stream`")
        async with self._news:
            await self._news.wait_for(lambda: self._newest is not self._taken or self._over)
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
        self._plan.want(wanted)
        if self._session is not None:
            self._session.want(wanted)
            self._send()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._writer is not None

    @property
    def lost(self) -> Optional[str]:
        """Why there are no pictures: the camera has no signal, or there is no connection; else None."""
        if self._session is None or self._writer is None:
            return self._trouble or "not connected yet"
        return self._session.lost

    @property
    def welcome(self) -> Optional[Dict[str, Any]]:
        """What the server has said of itself and the camera: size, fps, quality, cameras."""
        return self._session.welcome if self._session else None

    @property
    def rendition(self) -> Optional[Dict[str, Any]]:
        """What the pictures are at present, and why, if they are not the best there is."""
        return self._session.rendition if self._session else None

    async def close(self) -> None:
        """Ends the stream."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._end(Ended("the stream is closed"))

    async def _end(self, why: BaseException) -> None:
        async with self._news:
            self._over = self._over or why
            self._news.notify_all()

    async def _run(self) -> None:
        failures = 0
        while not self._closed:
            session = self._plan.begin()
            try:
                await self._live(session)
            except Ended as over:
                await self._end(over)
                return
            except (OSError, asyncio.TimeoutError) as error:
                self._trouble = str(error) or type(error).__name__
            finally:
                if self._writer is not None:
                    self._writer.close()
                self._writer = None
            failures = 0 if session.welcome else failures + 1
            if not self._plan.reconnect:
                await self._end(Ended(f"{self._plan.address}: {self._trouble}"))
                return
            await asyncio.sleep(pause(failures))

    async def _live(self, session: Session) -> None:
        """One connection, from its beginning to its end."""
        reader, self._writer = await asyncio.wait_for(_connect(self._plan), _CONNECT)
        self._session = session
        pings = asyncio.ensure_future(self._ping(session))
        try:
            self._send()
            while True:
                data = await asyncio.wait_for(reader.read(_READ), SILENCE)
                if not data:
                    raise ended(session, self._plan)
                frames = session.feed(data, time.time())
                self._send()
                shown = [frame for frame in frames if self._plan.stand_ins or not frame.stand_in]
                if shown:
                    async with self._news:
                        self._newest = shown[-1]
                        self._news.notify_all()
        finally:
            pings.cancel()

    async def _ping(self, session: Session) -> None:
        begin = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, begin + session.next_ping() - time.monotonic()))
            session.ping(time.time())
            self._send()

    def _send(self) -> None:
        session, writer = self._session, self._writer
        if session is not None and writer is not None and session.outgoing:
            writer.write(bytes(session.outgoing))
            session.outgoing.clear()


async def _connect(plan: Plan):
    address = plan.address
    if address.path is not None:
        return await asyncio.open_unix_connection(address.path)
    server = address.host if plan.tls is not None else None
    return await asyncio.open_connection(address.host, address.port, ssl=plan.tls, server_hostname=server)
