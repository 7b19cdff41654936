"""What can go wrong with the provider, named by what it means for the money.

::

    LumaError
    ├── NotSent           surely nothing was made; sending again is safe
    │   ├── Unreachable       refused, DNS, TLS: the body never left
    │   └── RateLimited       429
    ├── Refused           the provider read the request and said no
    │   ├── Rejected          400, moderation: this request will never pass
    │   └── AccountProblem    token, balance, wrong URL: no request will pass until an operator acts
    └── LostAnswer        it may have been made and billed; never send it again by itself
"""

from __future__ import annotations


class LumaError(Exception):
    """Base of everything that `LumaClient` raises.

    `code`, `message` and `trace_id` are the provider's own words, cleaned (no NUL, no lone
    surrogates) and cut to length; each is "" where the provider gave none.
    """

    def __init__(self, message: str, *, code: str = "", trace_id: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.trace_id = trace_id
        self.status = status


class NotSent(LumaError):
    """Surely nothing was made: the same request may be sent again."""


class Unreachable(NotSent):
    """The connection failed before the body was sent."""


class RateLimited(NotSent):
    """The provider answered 429; `retry_after` is in seconds, or None where it did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None, **words: str | int) -> None:
        super().__init__(message, **words)  # type: ignore[arg-type]
        self.retry_after = retry_after


class Refused(LumaError):
    """The provider understood the request and made nothing."""


class Rejected(Refused):
    """This request was refused (malformed, or by moderation) and would be refused again."""


class AccountProblem(Refused):
    """Token, balance or base URL: nothing will be accepted until an operator acts."""


class LostAnswer(LumaError):
    """No usable answer: the request may have been carried out, and billed."""
