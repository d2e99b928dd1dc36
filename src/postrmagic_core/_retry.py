"""When to try again: a value object and a pure decision; the caller does the sleeping."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter.

    ``attempts`` counts the first try too; ``base`` and ``cap`` are seconds. Full jitter spreads callers that failed
    together over the whole interval ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """

    attempts: int = 3
    base: float = 0.01
    cap: float = 1.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1 (the first try counts), got {self.attempts}")
        if not 0 < self.base <= self.cap:
            raise ValueError(f"expected 0 < base <= cap (seconds), got base={self.base} cap={self.cap}")

    def delay(self, failures: int, random: float) -> float | None:
        """Seconds to wait after ``failures`` failed tries (>= 1), or ``None`` when no try is left.

        ``random`` is uniform in [0, 1): passed in, so that the decision stays pure.
        """
        if failures >= self.attempts:
            return None
        ceiling = min(self.cap, self.base * 2.0 ** min(failures - 1, 62))
        return random * ceiling
