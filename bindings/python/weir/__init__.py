"""weir: a policy engine for LLM gateways.

Counting (count_tokens, count_request, Tokenizer, TokenCounter, StreamMeter), limits (Limiter), a
circuit breaker (Breaker), a balancer (Balancer) and a similarity cache (Cache) stand alone; an
Engine puts a Policy in force and decides, in a Transaction for each LLM call, who may pass, which
backend gets it and what it cost; a Ledger keeps a line of each. weir.asgi governs an ASGI
application with it.

weir opens no socket and starts no thread. Every call releases the interpreter's lock.
"""

from weir._boundary import NEVER, Now
from weir._weir import ffi, lib
from weir.balancing import NO_HOLD_DOWN, Balancer, Member, Pick, Rest, Strategy
from weir.bookkeeping import (CostVerdict, Ledger, LedgerStatus, LineOutcome, OtlpKind, WhenFull,
                              otlp_json, recompute_cost)
from weir.breaking import (Breaker, BreakerRule, BreakerRuleSet, Circuit, CircuitState, On,
                           Outcome, Permit, Report, retry_after)
from weir.caching import (Cache, CacheAnswer, Found, MeaningGuard, MeaningVerdict, Miss,
                          cache_report, compare_meaning, lexical_embed)
from weir.counting import (Dialect, Operation, PromptCount, Provenance, StreamMeter, TokenCounter,
                           Tokenizer, Unread, Usage, count_request, count_request_parts,
                           count_tokens, encoding_for_model, encodings, set_piece_cache)
from weir.engine import Engine, Policy, Secret, SecretKind, key_hash
from weir.errors import (FailedPreconditionError, InternalError, InvalidArgumentError,
                         NotFoundError, OutOfRangeError, PermissionDeniedError,
                         ResourceExhaustedError, Status, UnimplementedError, WeirError)
from weir.limiting import (LEASE_PERIOD, Algorithm, Charge, Decision, Limiter, Period,
                           Reservation, Rule, Verdict)
from weir.state import State, state_report
from weir.transaction import (Action, ActionKind, Failure, HeaderEdit, HeaderOperation,
                              Transaction)

__version__: str = ffi.string(lib.weir_version()).decode()


def version_number() -> int:
    """major * 1000000 + minor * 1000 + patch of the library in use."""
    number: int = lib.weir_version_number()
    return number


__all__ = [
    "Action", "ActionKind", "Algorithm", "Balancer", "Breaker", "BreakerRule", "BreakerRuleSet",
    "Cache", "CacheAnswer", "Charge", "Circuit", "CircuitState", "CostVerdict", "Decision",
    "Dialect", "Engine", "FailedPreconditionError", "Failure", "Found", "HeaderEdit",
    "HeaderOperation", "InternalError", "InvalidArgumentError", "LEASE_PERIOD", "Ledger",
    "LedgerStatus", "Limiter", "LineOutcome", "MeaningGuard", "MeaningVerdict", "Member",
    "Miss", "NEVER", "NO_HOLD_DOWN", "NotFoundError", "Now", "On", "Operation", "OtlpKind",
    "OutOfRangeError", "Outcome", "Period", "PermissionDeniedError", "Permit", "Pick", "Policy",
    "PromptCount", "Provenance", "Report", "Reservation", "ResourceExhaustedError", "Rest",
    "Rule", "Secret", "SecretKind", "State", "Status", "Strategy", "StreamMeter",
    "TokenCounter", "Tokenizer", "Transaction", "UnimplementedError", "Unread", "Usage",
    "Verdict", "WeirError", "WhenFull", "__version__", "cache_report", "compare_meaning",
    "count_request", "count_request_parts", "count_tokens", "encoding_for_model", "encodings",
    "key_hash", "lexical_embed", "otlp_json", "recompute_cost", "retry_after", "set_piece_cache",
    "state_report", "version_number",
]
