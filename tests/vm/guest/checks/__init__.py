"""The checks, in the order in which an installation lives."""

from checks import install, stream, control, formats, supervise, faults, idle, activation, remove

ALL = [m.checks for m in (install, stream, control, formats, supervise, faults, idle, activation, remove)]
