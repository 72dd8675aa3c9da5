"""The versions of a field's model: which one serves, and who changed that.

Predictions and evaluations that name no version use the one that **serves**: the promoted one, else
the newest that is ready. By another rule of its field (:class:`~lexiclass_core.models.ServingRule`)
nothing serves but what was promoted, and a training changes nothing by itself. A **retired**
version is used by nobody, not even by name, until it is reinstated. A **pruned** one has lost its
files; its rows stay.

Each change locks the field first, so that two run one after the other, and leaves a
:class:`~lexiclass_core.models.ModelEvent`. What was asked for and is so already changes nothing.
Nothing here looks at files: they are verified before a version becomes ready, by
``lexiclass-worker models promote``, and whenever a model is loaded. Unless it says otherwise,
what is asked of a field raises :class:`VersionNotFound` if it, or a version that is named, is not
there.
"""

from lexiclass_core.versions.acceptance import certified_thresholds
from lexiclass_core.versions.comparison import Comparison, compare_versions
from lexiclass_core.versions.errors import (
    ChangeRefused,
    ReportCorrupt,
    ReportNotFound,
    VersionError,
    VersionNotFound,
)
from lexiclass_core.versions.events import Author, history, record
from lexiclass_core.versions.gating import (
    ConfigChange,
    GatedChange,
    field_config,
    judge_version,
    promote_through_gates,
    promotes_itself,
    replaced_by,
    set_field_config,
)
from lexiclass_core.versions.promotion import (
    Change,
    RuleChange,
    lock_field,
    lock_versions,
    promote,
    reinstate,
    retire,
    roll_back,
    set_serving_rule,
)
from lexiclass_core.versions.pruning import mark_pruned, prune
from lexiclass_core.versions.reading import (
    list_versions,
    only_serving,
    require_field,
    require_version,
    serving,
    serving_rule,
    serving_version,
    test_set_digest,
)
from lexiclass_core.versions.regressions import Regression, find_regression
from lexiclass_core.versions.reports import ReportFile, read_report

__all__ = [
    "Author",
    "Change",
    "ChangeRefused",
    "Comparison",
    "ConfigChange",
    "GatedChange",
    "Regression",
    "ReportCorrupt",
    "ReportFile",
    "ReportNotFound",
    "RuleChange",
    "VersionError",
    "VersionNotFound",
    "certified_thresholds",
    "compare_versions",
    "field_config",
    "find_regression",
    "history",
    "judge_version",
    "list_versions",
    "lock_field",
    "lock_versions",
    "mark_pruned",
    "only_serving",
    "promote",
    "promote_through_gates",
    "promotes_itself",
    "prune",
    "read_report",
    "record",
    "reinstate",
    "replaced_by",
    "require_field",
    "require_version",
    "retire",
    "roll_back",
    "serving",
    "serving_rule",
    "serving_version",
    "set_field_config",
    "set_serving_rule",
    "test_set_digest",
]
