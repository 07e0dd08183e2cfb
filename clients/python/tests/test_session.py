"""What is read and said, without a server."""

import unittest

from streamd_client import Kicked, ProtocolError, Refused, address, frame
from streamd_client.session import Session, message, wishes

#: SOI, JFIF, what the picture is, a frame of 64x48.
JFIF = bytes.fromhex("ffe000104a46494600010100000100010000")
FRAME = bytes.fromhex("ffc0000b080030004001011100")


def segment(content: bytes) -> bytes:
    return b"\xff\xe9" + (len(content) + 2).to_bytes(2, "big") + content


def picture(sequence: int, captured_us: int, camera: str = "main", stand_in: bool = False) -> bytes:
    label = b"streamd\0\x02" + f"{sequence:016x}{captured_us:016x}{camera}".encode()
    more = segment(b"streamd\0stand-in") if stand_in else b""
    return b"\xff\xd8" + JFIF + segment(label) + more + FRAME + b"\xff\xd9"


def payload(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data


class Pictures(unittest.TestCase):
    def test_what_a_picture_says_of_itself(self):
        shown = frame.read(picture(77, 1_000_000, "front"), received=2.5, offset=-1.0)
        self.assertEqual((shown.sequence, shown.captured, shown.camera, shown.stand_in), (77, 1.0, "front", False))
        self.assertEqual((shown.latency, shown.size), (0.5, (64, 48)))
        self.assertTrue(frame.read(picture(1, 1, stand_in=True), 0, None).stand_in)

    def test_what_is_not_known_is_none(self):
        self.assertIsNone(frame.read(picture(1, 1), 2.0, None).latency)
        plain = frame.read(b"\xff\xd8" + FRAME, 2.0, 0.0)
        self.assertEqual((plain.sequence, plain.captured, plain.latency, plain.age), (None, None, None, None))
        with self.assertRaises(ValueError):
            frame.read(b"\xff\xd8\xff\xd9", 0.0, None).size

    def test_damaged_segments_are_no_error(self):
        whole = picture(1, 1)
        for end in range(len(whole)):
            frame.read(whole[:end], 0.0, 0.0)


class Sessions(unittest.TestCase):
    def session(self, camera=None):
        return Session({"name": "test"}, camera)

    def told(self, session, **content):
        return session.feed(message(content), now=10.0)

    def test_pictures_come_whole_however_the_bytes_arrive(self):
        stream = b"".join(payload(picture(n, n)) for n in (1, 2, 3))
        for step in (1, 7, 100, len(stream)):
            session, numbers = self.session(), []
            for at in range(0, len(stream), step):
                numbers += [f.sequence for f in session.feed(stream[at : at + step], 0.0)]
            self.assertEqual(numbers, [1, 2, 3])

    def test_receipts_are_by_the_servers_clock_once_it_is_known(self):
        session = self.session()
        session.feed(payload(picture(1, 1)), now=1.0)
        self.assertNotIn(b"receipt", session.outgoing)
        # Sent at 9, answered at 10: the server is 100 s ahead.
        self.told(session, type="pong", t=9_000_000, serverTime=109_500_000)
        self.assertAlmostEqual(session.offset, 100.0)
        session.outgoing.clear()
        (shown,) = session.feed(payload(picture(2, 110_000_000)), now=10.5)
        self.assertAlmostEqual(shown.latency, 0.5)
        self.assertIn(b'{"type":"receipt","sequence":2,"t":110500000,"camera":"main"}', bytes(session.outgoing))

    def test_the_quickest_pong_counts(self):
        session = self.session()
        self.told(session, type="pong", t=9_000_000, serverTime=109_500_000)
        self.told(session, type="pong", t=9_990_000, serverTime=60_000_000)
        self.assertAlmostEqual(session.offset, 50.005)
        self.assertAlmostEqual(session.round_trip, 0.01)

    def test_another_camera_is_asked_for_once(self):
        session = self.session("rear")
        self.told(session, type="welcome", camera="main", cameras=["main", "rear"])
        self.assertIn(b'{"type":"subscribe","cameras":["rear"]}', bytes(session.outgoing))
        self.told(session, type="welcome", camera="rear", cameras=["main", "rear"])
        with self.assertRaisesRegex(Refused, "no camera 'side' here: main"):
            self.told(self.session("side"), type="welcome", camera="main", cameras=["main"])
        with self.assertRaisesRegex(Refused, "no place"):
            self.told(session, type="notice", event="cameraRefused", message="no place")

    def test_no_signal_has_its_reason_until_it_is_back(self):
        session = self.session()
        self.told(session, type="notice", event="cameraLost", message="unplugged")
        session.feed(payload(picture(1, 1, stand_in=True)), 0.0)
        self.assertEqual(session.lost, "unplugged")
        session.feed(payload(picture(2, 2)), 0.0)
        self.assertIsNone(session.lost)

    def test_who_is_sent_away_is_told_why(self):
        with self.assertRaisesRegex(Kicked, "maintenance"):
            self.told(self.session(), type="notice", event="kicked", message="maintenance")

    def test_what_is_no_stream_is_said(self):
        with self.assertRaisesRegex(ProtocolError, "port of a camera"):
            self.session().feed(b"HTTP/1.1 400 Bad Request\r\n", 0.0)
        with self.assertRaises(ProtocolError):
            self.session().feed(payload(b"{half"), 0.0)

    def test_unknown_messages_and_payloads_are_let_pass(self):
        session = self.session()
        self.assertEqual(self.told(session, type="tomorrow"), [])
        self.assertEqual(session.feed(payload(b"\0\0\0\1abc"), 0.0), [])


class Wishes(unittest.TestCase):
    def test_what_may_be_asked_for(self):
        self.assertEqual(wishes({"fps": 7.5, "max_width": 0, "quality": None}), {"fps": 7.5, "maxWidth": 0})

    def test_what_can_not_be_is_named(self):
        for wrong, error in [
            ({"fps": 0.01}, "fps is 0.01: 0.1 to 1000"),
            ({"quality": 101}, "quality is 101: 1 to 100"),
            ({"max_width": -1}, "max_width is -1: 16 to 16384"),
            ({"fps": float("nan")}, "fps is nan"),
            ({"quality": 7.5}, "quality is 7.5: a number"),
            ({"fps": "5"}, "fps is '5'"),
            ({"paused": 1}, "paused is 1"),
            ({"size": 1}, "'size' can't be asked for"),
        ]:
            with self.assertRaisesRegex((TypeError, ValueError), error):
                wishes(wrong)


class Addresses(unittest.TestCase):
    def test_all_that_may_be_written(self):
        for text, shown in [
            ("robot", "robot:8002"),
            ("robot:9", "robot:9"),
            ("tcp://robot:9", "robot:9"),
            ("tls://robot", "tls://robot:8002"),
            ("[::1]:7", "[::1]:7"),
            ("::1", "[::1]:8002"),
            ("unix:/run/cam", "unix:/run/cam"),
        ]:
            self.assertEqual(str(address.parse(text)), shown)

    def test_what_is_wrong_is_named(self):
        for text in ("", ":8002", "robot:0", "robot:x", "robot:99999", "http://robot:8080", "robot/x", "unix:", "[::1"):
            with self.assertRaisesRegex(ValueError, "HOST:PORT"):
                address.parse(text)


if __name__ == "__main__":
    unittest.main()
