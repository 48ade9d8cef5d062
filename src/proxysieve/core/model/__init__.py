"""The values that all parts share: proxies, exchanges, verdicts. None of them ever changes."""

from proxysieve.core.model.exchange import Answer, Exchange, Failure, Headers, first_value, in_lower_case
from proxysieve.core.model.proxy import LONGEST_NAME, PLAIN_IPV4, SESSION_PLACEHOLDER, Proxy
from proxysieve.core.model.verdict import LONGEST_COOLDOWN_SECONDS, OK, Outcome, Reach, Scope, Tried, Verdict

__all__ = [
    "LONGEST_COOLDOWN_SECONDS",
    "LONGEST_NAME",
    "OK",
    "PLAIN_IPV4",
    "SESSION_PLACEHOLDER",
    "Answer",
    "Exchange",
    "Failure",
    "Headers",
    "Outcome",
    "Proxy",
    "Reach",
    "Scope",
    "Tried",
    "Verdict",
    "first_value",
    "in_lower_case",
]
