"""The names of operations, as a type of options."""

from enum import StrEnum
from typing import TYPE_CHECKING

from lexiclass_core.operations import OPERATIONS

if TYPE_CHECKING:
    OperationName = str
else:
    OperationName = StrEnum("OperationName", {name.upper(): name for name in OPERATIONS})
