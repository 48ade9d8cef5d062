"""What a verdict proves: whether the site itself answered, and whether it may be the page's own.

A block is evidence, a ban is a conclusion, and a broken proxy is neither. ``unclear`` is a verdict of its own: without
TLS a time-out or a 502 may come from the proxy or the site. If it counted as a block, every outage would cost working
sessions; if it counted for nothing, hung proxies would stay for ever.
"""

from __future__ import annotations

import msgspec

from proxysieve.core.model import OK, Outcome, Scope, Verdict

# These happen to any request by accident, and say too little of a session.
ACCIDENTS = frozenset(
    {
        "", "timeout", "reset", "tls", "certificate", "garbled", "status-502", "status-504",
        "proxy-status-502", "proxy-status-503", "proxy-status-504",
    }
)  # fmt: skip

# These may be the page's own.
DISPUTABLE = frozenset({Outcome.BLOCKED, Outcome.UNCLEAR})
# The site itself said these.
ANSWERS = frozenset({Outcome.OK, Outcome.BLOCKED, Outcome.THROTTLED, Outcome.SITE_ERROR})
# Alone, these are no refusal.
HARMLESS = frozenset({"empty-body", "unlike"})


def is_weak(verdict: Verdict) -> bool:
    """Whether *verdict* is a refusal that may be the page's own."""
    return verdict.outcome is Outcome.UNCLEAR and verdict.sign not in ACCIDENTS


def is_answer(verdict: Verdict) -> bool:
    """Whether the site itself answered; else something between us and the site failed."""
    return verdict.outcome in ANSWERS or is_weak(verdict)


def own_verdict(verdict: Verdict) -> Verdict:
    """What *verdict* means for a page that is the same for sessions that work elsewhere."""
    if verdict.sign in HARMLESS:
        return msgspec.structs.replace(OK, why="the same for all", sign=verdict.sign)
    if verdict.outcome is Outcome.BLOCKED:
        why = f"looks like a block ({verdict.sign}), but to sessions too that work elsewhere"
        return msgspec.structs.replace(verdict, outcome=Outcome.UNCLEAR, why=why, is_final=True, confidence=0.5)
    why = f"{verdict.why}, for sessions too that work elsewhere"
    return msgspec.structs.replace(
        verdict, outcome=Outcome.SITE_ERROR, why=why, scope=Scope.RESOURCE, is_final=True, confidence=0.9
    )
