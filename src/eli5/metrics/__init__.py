"""How far a map can be trusted: metrics of explanations, one function each, and all in `METRICS`.

They differ in what they ask: whether the class goes where the map is high (faithfulness), whether
the map foretells what changes do (sensitivity), how many places it is about (complexity), whether
it lies on the object (localisation), and whether it has anything to do with what the model has
learned (randomisation). Few may stand alone; `Metric.not_alone` says why.
"""

from eli5.metrics.comparison.result import Comparison
from eli5.metrics.faithfulness import deletion, insertion, single_deletion, srg
from eli5.metrics.imputation import road
from eli5.metrics.localisation import best_iou, energy_inside, pointing_game, rank_accuracy
from eli5.metrics.map_complexity import complexity, sparseness
from eli5.metrics.randomisation import (
    cascading_randomisation,
    efficient_randomisation,
    random_logit,
    smooth_randomisation,
)
from eli5.metrics.result import Metric, MetricResult
from eli5.metrics.score_change import average_drop, average_gain, average_increase
from eli5.metrics.sensitivity import infidelity, max_sensitivity
from eli5.metrics.table import METRICS

__all__ = [
    "METRICS",
    "Comparison",
    "Metric",
    "MetricResult",
    "average_drop",
    "average_gain",
    "average_increase",
    "best_iou",
    "cascading_randomisation",
    "complexity",
    "deletion",
    "efficient_randomisation",
    "energy_inside",
    "infidelity",
    "insertion",
    "max_sensitivity",
    "pointing_game",
    "random_logit",
    "rank_accuracy",
    "road",
    "single_deletion",
    "smooth_randomisation",
    "sparseness",
    "srg",
]


def __dir__() -> list[str]:
    return [*(name for name in globals() if name.startswith("__")), *__all__]
