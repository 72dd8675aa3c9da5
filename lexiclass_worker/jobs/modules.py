"""The modules that do the jobs: loaded once, where children are forked from."""

from typing import Final

from lexiclass_worker.jobs.indexing import EmbedJob, EraseJob, FindEncoderJob, IndexJob, ShardJob
from lexiclass_worker.jobs.job import Job
from lexiclass_worker.jobs.plugins import DescribePluginsJob
from lexiclass_worker.jobs.prediction import EvaluateJob, PredictJob, PredictTextJob
from lexiclass_worker.jobs.similarity import SimilarJob
from lexiclass_worker.jobs.training import TrainJob, ValidateJob, VerifyJob

_JOBS: Final[tuple[type[Job], ...]] = (
    IndexJob, ShardJob, FindEncoderJob, EmbedJob, EraseJob, ValidateJob, TrainJob, VerifyJob,
    PredictJob, PredictTextJob, EvaluateJob, SimilarJob, DescribePluginsJob,
)  # fmt: skip

MODULES: Final = (
    "lexiclass.plugins.classifiers.svm.liblinear",
    "lexiclass_worker.ml.failures",
    *sorted({job.function.partition(":")[0] for job in _JOBS}),
)
"""A child that imported them itself would take seconds."""
