"""The VOC index: how the raw signal of an SGP40 compares with what is usual where it is.

100 is the usual, more is worse, 500 the worst; what is usual is learnt, with a memory of 12
hours. The steps and constants are those that Sensirion has published as "Gas Index Algorithm",
3.2, for signals that come at equal intervals; it was tested with 1 s and 10 s.
"""

from __future__ import annotations

from math import exp, sqrt

BLACKOUT_S = 45.0  # no index before
RAW_LOW, RAW_HIGH = 20_001, 52_767  # signals beyond count as these
RAW_NONE = 65_000  # from here on it is no signal

# From the signal to the index: a bent scale.
FIRST_MEAN, FIRST_STD, STD_BONUS = 20_000.0, 50.0, 220.0
GAIN = 230.0
TOP, MIDDLE, STEEPNESS = 500.0, 213.0, -0.0065
BOTTOM = 0.5

# Learning what is usual: each signal counts with a memory that is short at first.
MEMORY_S = 12 * 3600.0
FIRST_MEAN_S, MEAN_KNOWN_S = 20.0, 0.75 * 3600
FIRST_STD_S, STD_KNOWN_S = 2500.0, 1.45 * 3600
TRANSITION = 0.01
OLDEST_S = 32_767.0
LEARNT_S = 3 * 3600.0  # of signals without a break, after which it may go on from where it was
PAUSE_S = 600.0  # the longest break after which it may

# An event: an index so high that nothing is learnt from it, unless it lasts too long.
EVENT, FIRST_EVENT, EVENT_EDGE = 340.0, 510.0, 0.09
LONGEST_EVENT_S = 3 * 3600.0
RECOVERY = 0.3

# Smoothing.
FAST_S, SLOW_S = 20.0, 500.0
RESTLESS = 0.2


def sigmoid(x: float, middle: float, steepness: float) -> float:
    """Fall from 1 to 0 around the middle; rise, if the steepness is negative."""
    power = steepness * (x - middle)
    return 1 / (1 + exp(min(max(power, -50.0), 50.0)))


class Smooth:
    """Follows an index: slowly while it is calm, fast when it moves."""

    def __init__(self, interval: float, first: float) -> None:
        self.interval = interval
        self.fast = self.slow = self.value = first

    def follow(self, x: float) -> float:
        """Take the next value; return the smoothed one."""
        self.fast += self._share(FAST_S) * (x - self.fast)
        self.slow += self._share(SLOW_S) * (x - self.slow)
        calm = exp(-RESTLESS * abs(self.fast - self.slow))
        self.value += self._share(FAST_S + (SLOW_S - FAST_S) * calm) * (x - self.value)
        return self.value

    def _share(self, seconds: float) -> float:
        return self.interval / (seconds + self.interval)


class VOCIndex:
    """Turns raw signals, one each `interval` seconds, into an index from 1 to 500."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.mean, self.std = FIRST_MEAN, FIRST_STD
        self._uptime = 0.0
        self._smooth: Smooth | None = None
        self._age = self._age_of_events = self._event = 0.0
        self._is_new = True  # the first signal says what is usual

    @property
    def learnt(self) -> tuple[float, float] | None:
        """Mean and deviation, to `resume` with; None before three hours of signals."""
        return (self.mean, self.std) if self._age >= LEARNT_S else None

    def resume(self, mean: float, std: float) -> None:
        """Go on after a break of ten minutes at most, from what was learnt before."""
        self.mean, self.std = mean, std
        self._age = LEARNT_S
        self._is_new = False

    def update(self, raw: int) -> int | None:
        """Take the next signal, less than RAW_NONE; return the index, None in the first 45 s."""
        if self._uptime <= BLACKOUT_S:
            self._uptime += self.interval
            return None
        signal = min(max(raw, RAW_LOW), RAW_HIGH)
        deviation = GAIN * (self.mean - signal) / (self.std + STD_BONUS)
        index = TOP * sigmoid(deviation, MIDDLE, STEEPNESS)
        if self._smooth is None:
            self._smooth = Smooth(self.interval, index)
        index = max(self._smooth.follow(index), BOTTOM)
        if self._is_new:
            self.mean, self._is_new = float(signal), False
        else:
            self._learn(signal, index)
        return int(index + 0.5)

    def _learn(self, signal: int, index: float) -> None:
        """Move mean and deviation towards the signal, but hardly while an event lasts."""
        self._age = self._older(self._age)
        self._age_of_events = self._older(self._age_of_events)
        new_mean = sigmoid(self._age, MEAN_KNOWN_S, TRANSITION)
        new_std = sigmoid(self._age, STD_KNOWN_S, TRANSITION) - new_mean
        usual = self._usual(index, MEAN_KNOWN_S)
        mean_share = usual * self._share(FIRST_MEAN_S, new_mean)
        std_share = self._usual(index, STD_KNOWN_S) * self._share(FIRST_STD_S, new_std)
        self._event += self.interval * ((1 - usual) * (1 + RECOVERY) - RECOVERY)
        self._event = max(self._event, 0.0)
        if self._event > LONGEST_EVENT_S:  # it has become the usual
            self._age_of_events = 0.0
        difference = signal - self.mean
        self.std = sqrt((1 - std_share) * (self.std**2 + std_share * difference**2))
        self.mean += mean_share * difference

    def _older(self, age: float) -> float:
        return age + self.interval if age < OLDEST_S - self.interval else age

    def _usual(self, index: float, known_s: float) -> float:
        """How much an index speaks against an event, from 0 to 1."""
        new = sigmoid(self._age_of_events, known_s, TRANSITION)
        return sigmoid(index, EVENT + (FIRST_EVENT - EVENT) * new, EVENT_EDGE)

    def _share(self, first_s: float, new: float) -> float:
        """The weight of one signal: between the long memory and, as far as it is new, the first."""
        late = self.interval / (MEMORY_S + self.interval)
        early = self.interval / (first_s + self.interval)
        return late + (early - late) * new
