"""Between chip and store: what becomes of a value, step by step, in the order that was written.

    Treatment   the steps of one channel, as the user wrote them; frozen
    Chain       a treatment at work: its windows and what it kept last

    arithmetic  offset, scale, polynomial, table, clamp, round, unit, becomes, valid
    window      median, mean, min, max, of some readings or of some time
    change      on_change
    derived     channels that are calculated from others

A step knows the channel that it makes of another (`through`): its unit, its range and the step to
which values are rounded follow the arithmetic. Numbers only are treated; truth values and text pass
as they are, but for `on_change`. None of this changes a sample's time.
"""

from __future__ import annotations

from pilogger.pipeline.arithmetic import (
    Becomes,
    Clamp,
    Convert,
    Offset,
    Polynomial,
    Round,
    Scale,
    Table,
    Valid,
)
from pilogger.pipeline.chain import Chain, Step, Treatment
from pilogger.pipeline.change import OnChange
from pilogger.pipeline.derived import FORMULAS, Derivation, fitted
from pilogger.pipeline.window import Window

__all__ = [
    "FORMULAS",
    "Becomes",
    "Chain",
    "Clamp",
    "Convert",
    "Derivation",
    "Offset",
    "OnChange",
    "Polynomial",
    "Round",
    "Scale",
    "Step",
    "Table",
    "Treatment",
    "Valid",
    "Window",
    "fitted",
]
