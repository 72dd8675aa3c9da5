"""Whether a document is like those that a model was trained on.

A confidence says how probable the classes are for documents like those of training. Of a document
of another kind it says nothing, and it can be high: what a classifier does not know it does not
see. So each prediction has a p-value beside it, by which documents of another kind can be told.
"""

from lexiclass.familiarity.centroids import CentroidFamiliarity
from lexiclass.familiarity.conformal import FALSE_ALARMS, Reference
from lexiclass.familiarity.stored import FILE, Familiarity, load_familiarity, save_familiarity
from lexiclass.familiarity.words import WordFamiliarity

__all__ = [
    "FALSE_ALARMS",
    "FILE",
    "CentroidFamiliarity",
    "Familiarity",
    "Reference",
    "WordFamiliarity",
    "load_familiarity",
    "save_familiarity",
]
