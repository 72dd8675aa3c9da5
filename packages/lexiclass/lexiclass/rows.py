"""Documents as rows of features."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

#: (n, num_features) float32 rows of documents: sparse from counting, dense from neural encoders.
Rows: TypeAlias = sparse.csr_array | NDArray[np.floating[Any]]
