"""The error of a stack that does not come up."""

from __future__ import annotations

from offerflow.runtime.errors import OfferflowError


class StackFailed(OfferflowError):
    """Names the log file and shows its end. ``exit_code`` is 69 when a service of the user's own is away."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
