"""Logging in: guessing slowed down without locking anybody out, and tokens that are good for one use.

::

    throttle = LoginThrottle(limiter, keys)
    admitted = throttle.admit(name, address)  # before the password is looked at
    if not admitted:
        answer_429(retry_after=admitted.retry_after)

    tokens = LoginTokens(database, keys)
    token = tokens.issue(user_id, purpose="reset", lifetime=1800)
    redeemed = tokens.redeem(token, purpose="reset")  # once
"""

from .interface import Admission, Redeemed, ThrottleLimits
from .manager import LoginThrottle, LoginTokens

__all__ = ["Admission", "LoginThrottle", "LoginTokens", "Redeemed", "ThrottleLimits"]
