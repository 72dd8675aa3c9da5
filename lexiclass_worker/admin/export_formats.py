"""What a file of records can be. Apart from what writes them, for command lines."""

from enum import StrEnum


class ExportFormat(StrEnum):
    """What a file of records can be."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    LABEL_STUDIO = "label-studio"
