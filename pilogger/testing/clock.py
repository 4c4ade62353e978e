"""A clock that a test moves, with all that can be wrong about a Pi's."""

from __future__ import annotations

NTP_POLL_S = 16.0
NTP_GAIN = 0.2  # of the error that is left, taken away at each poll


class FakeClock:
    """A clock that moves when told: `advance` passes time, `step_wall` sets the wall clock.

    It starts at second 100 of a boot, synced, on 2026-01-01T00:00:00Z. `truth` is what no
    machine knows: the time as it is, in microseconds since 1970. A crystal that errs, by
    `crystal` ppm, makes boot and wall time run fast until `ntp` comes and steers them.
    """

    source = "ntp"

    def __init__(
        self, *, synced: bool = True, boot_id: str = "boot-1", crystal: float = 0.0
    ) -> None:
        self.boot_id = boot_id
        self.is_synced = synced
        self.crystal = crystal
        self.truth = 1_767_225_600_000_000
        self._boot = 100_000_000
        self._wall = self.truth
        self._ppm = 0.0
        self._poll_in = NTP_POLL_S

    def advance(self, seconds: float) -> None:
        """Let time pass; a crystal that NTP steers is on its way to the right pace."""
        steered = self.is_synced and self.crystal
        while steered and seconds >= self._poll_in:
            seconds -= self._poll_in
            self._pass(self._poll_in)
            self._poll_in = NTP_POLL_S
            self._ppm -= (self._ppm + self.crystal) * NTP_GAIN
            slewed = round((self.truth - self._wall) * NTP_GAIN)
            self._boot += slewed
            self._wall += slewed
        self._pass(seconds)
        if steered:
            self._poll_in -= seconds

    def _pass(self, seconds: float) -> None:
        counted = round(seconds * (1_000_000 + self.crystal + self._ppm))
        self.truth += round(seconds * 1_000_000)
        self._boot += counted
        self._wall += counted

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or a person does."""
        self._wall += round(seconds * 1_000_000)

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock wrong by hand; the kernel no longer calls it synchronised."""
        self.step_wall(seconds)
        self.is_synced = False

    def pace(self, ppm: float) -> None:
        """Let the kernel run all clocks faster, as chrony does with what it learnt last time."""
        self._ppm = ppm

    def ntp(self) -> None:
        """NTP answers: the wall clock steps to the truth and is steered from now on."""
        self._wall = self.truth
        self._poll_in = NTP_POLL_S
        self.is_synced = True

    def reboot(self, boot_id: str, *, off: float = 60.0, restored: int | None = None) -> FakeClock:
        """Start the machine again after `off` seconds, its time unknown.

        Its wall clock begins with `restored`, microseconds since 1970, or where it stopped.
        """
        again = FakeClock(synced=False, boot_id=boot_id, crystal=self.crystal)
        again.truth = self.truth + round(off * 1_000_000)
        again._boot = 0
        again._wall = self._wall if restored is None else restored
        return again

    def monotonic(self) -> float:
        return self._boot / 1_000_000

    def boot(self) -> int:
        return self._boot

    def wall(self) -> int:
        return self._wall

    def synced(self) -> bool:
        return self.is_synced

    def error(self) -> int | None:
        return 10_000 if self.is_synced else None

    def frequency(self) -> int:
        return round(self._ppm * 1000)
