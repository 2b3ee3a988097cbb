"""From one picture to millions: a plan of shards, on one machine or on a Ray cluster.

A *source* is listed once into a *plan* of ordered *shards*. *Executors* give shards to *workers*,
each of which loads the model once; the *driver* decides what is next. A shard's result is one
*part*, a Parquet file, so what is done is what has its part.
"""

from eli5.bulk.estimate import Estimate, estimate
from eli5.bulk.results.summary import Summary
from eli5.bulk.run import explain
from eli5.bulk.status import Status, status

__all__ = ["Estimate", "Status", "Summary", "estimate", "explain", "status"]
