r"""Fakes that behave like hardware: for pilogger's own tests, and for yours.

A chip with registers, a chip with opcodes, and a reading without waiting for it:

    bus = MemoryBus({0x76: {0xD0: b"\x60"}})
    bus = ScriptedBus(("write", 0x23, b"\x01"), ("read", 0x23, b"\x83\x90"))
    reading, waits = run(BH1750(bus).read())

A file of `pilogger record`, played back:

    recording = Recording(Path("attached.jsonl"))
    assert recording.play(SHT4x) == recording.outcomes
"""

from pilogger.testing.buses import MemoryBus, MuxBus, SerialPort, run, w1_slave
from pilogger.testing.clock import FakeClock
from pilogger.testing.destination import FlakyDestination
from pilogger.testing.recording import Recording
from pilogger.testing.scripts import ScriptedBus, ScriptedOneWire, ScriptedPort

__all__ = [
    "FakeClock",
    "FlakyDestination",
    "MemoryBus",
    "MuxBus",
    "Recording",
    "ScriptedBus",
    "ScriptedOneWire",
    "ScriptedPort",
    "SerialPort",
    "run",
    "w1_slave",
]
