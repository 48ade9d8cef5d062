"""A client's exception into the failure that it means, without importing any client.

Clients are told by the names of their exception classes, which are part of their public interfaces.
"""

from proxysieve.core.verdicts.failures.browsers import words_of
from proxysieve.core.verdicts.failures.failure_of import SendFailed, failed_exchange, failure_of

__all__ = ["SendFailed", "failed_exchange", "failure_of", "words_of"]
