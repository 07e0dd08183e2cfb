"""Why there are no more pictures."""


class Ended(ConnectionError):
    """The stream has ended, and does not come back by itself."""


class Refused(Ended):
    """There is no such camera here, no place for one more client, or no token that may watch it."""


class Kicked(Ended):
    """An administrator has disconnected this client, for the reason that the text is."""


class ProtocolError(Ended):
    """What came is not what streamd sends: is this the port of a camera?"""
