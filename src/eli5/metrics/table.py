"""The metrics, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from eli5.metrics import (
    faithfulness,
    imputation,
    localisation,
    map_complexity,
    randomisation,
    score_change,
    sensitivity,
)
from eli5.metrics.result import Metric

_ROWS = (
    faithfulness.DELETION._replace(function=faithfulness.deletion),
    faithfulness.INSERTION._replace(function=faithfulness.insertion),
    imputation.ROAD._replace(function=imputation.road),
    faithfulness.SRG._replace(function=faithfulness.srg),
    faithfulness.SINGLE_DELETION._replace(function=faithfulness.single_deletion),
    sensitivity.INFIDELITY._replace(function=sensitivity.infidelity),
    sensitivity.MAX_SENSITIVITY._replace(function=sensitivity.max_sensitivity),
    score_change.AVERAGE_DROP._replace(function=score_change.average_drop),
    score_change.AVERAGE_INCREASE._replace(function=score_change.average_increase),
    score_change.AVERAGE_GAIN._replace(function=score_change.average_gain),
    map_complexity.COMPLEXITY._replace(function=map_complexity.complexity),
    map_complexity.SPARSENESS._replace(function=map_complexity.sparseness),
    localisation.ENERGY_INSIDE._replace(function=localisation.energy_inside),
    localisation.POINTING_GAME._replace(function=localisation.pointing_game),
    localisation.RANK_ACCURACY._replace(function=localisation.rank_accuracy),
    localisation.BEST_IOU._replace(function=localisation.best_iou),
    randomisation.CASCADING._replace(function=randomisation.cascading_randomisation),
    randomisation.SMOOTH._replace(function=randomisation.smooth_randomisation),
    randomisation.EFFICIENT._replace(function=randomisation.efficient_randomisation),
    randomisation.RANDOM_LOGIT._replace(function=randomisation.random_logit),
)

METRICS: Mapping[str, Metric] = MappingProxyType({row.name: row for row in _ROWS})
