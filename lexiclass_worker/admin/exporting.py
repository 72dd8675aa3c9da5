"""Writing all predictions or labels of a field to a file."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from lexiclass_worker.admin.export_files import Record, RecordWriter
from lexiclass_worker.admin.texts import excerpt


@dataclass(slots=True)
class ExportReport:
    """What an export came to.

    Attributes:
        num_unreadable: Of how many the text was asked for and cannot be read.
    """

    num_records: int = 0
    num_unreadable: int = 0


async def export(pages: AsyncGenerator[list[Record]], writer: RecordWriter) -> ExportReport:
    """Write records as they come, a page in memory at a time."""
    report = ExportReport()
    async with aclosing(pages):
        async for records in pages:
            writer.write(records)
            report.num_records += len(records)
            report.num_unreadable += sum(map(_is_unreadable, records))
    writer.close()
    return report


async def with_excerpts(
    pages: AsyncGenerator[list[Record]], *, keeps_texts: bool
) -> AsyncGenerator[list[Record]]:
    """Records with the beginning of their texts, beside these or instead of them."""
    async with aclosing(pages):
        async for records in pages:
            for record in records:
                text = record["text"] if keeps_texts else record.pop("text")
                record["excerpt"] = excerpt(text)
            yield records


def _is_unreadable(record: Record) -> bool:
    return record.get("text", record.get("excerpt", "")) is None


async def first(pages: AsyncGenerator[list[Record]], limit: int) -> list[Record]:
    """The first records, no more of which are read than it takes."""
    found: list[Record] = []
    async with aclosing(pages):
        async for records in pages:
            found += records
            if len(found) >= limit:
                break
    return found[:limit]
