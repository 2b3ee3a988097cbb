"""Methods side by side, on the same docs and classes: one call that compares, and what comes of it.

Docs vary more than methods do. So means come with intervals, and methods are compared on the same
docs: two of them are told apart only where the mean of their differences is.
"""

from eli5.metrics.comparison.request import check_about as check_about
from eli5.metrics.comparison.request import read_methods as read_methods
from eli5.metrics.comparison.result import Comparison as Comparison
from eli5.metrics.comparison.result import interval as interval
from eli5.metrics.comparison.side_by_side import compare as compare
