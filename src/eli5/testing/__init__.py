"""What a model looks at, in a test suite: assertions, and the comparison behind them.

The evidence for a class is what its map shows: where the model looked. It changes where accuracy
does not, as when a model that is trained anew reads the class off a mark in the corner.
"""

from eli5.testing.asserts import assert_looks_at, assert_same_evidence
from eli5.testing.distance import evidence_distance
from eli5.testing.evidence import compare_evidence
from eli5.testing.evidence_diff import TOLERANCE, EvidenceChange, EvidenceDiff, Prediction

__all__ = [
    "TOLERANCE",
    "EvidenceChange",
    "EvidenceDiff",
    "Prediction",
    "assert_looks_at",
    "assert_same_evidence",
    "compare_evidence",
    "evidence_distance",
]


def __dir__() -> list[str]:
    return [*(name for name in globals() if name.startswith("__")), *__all__]
