"""The checks, in the order in which an installation lives."""

from checks import activation, clients, control, faults, formats, idle, install, listen, remove, settings, stream, supervise

MODULES = (install, stream, control, clients, formats, settings, supervise, faults, idle, activation, listen, remove)

ALL = [module.checks for module in MODULES]
