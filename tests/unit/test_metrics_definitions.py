"""The series: their names and labels, and how the processes of a group share them."""

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import values
from prometheus_client.metrics import MetricWrapperBase

from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.telemetry import counting
from lexiclass_worker.telemetry.metrics import Series, create_series
from lexiclass_worker.telemetry.metrics_directory import open_directory
from lexiclass_worker.telemetry.scrape import ProcessSource, Scrape

# Counts five messages and starts one, then does what it is told: end in order, end, or hang.
PROCESS = """
import sys
from pathlib import Path
import prometheus_client  # somebody did, before the folder was set
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry import counting
counting.configure_metrics(Settings(metrics={"directory": Path(sys.argv[1])}))
series = counting.current_series()
series.messages.labels("training", "train_field_model").inc(5)
series.message_durations_ms.labels("training", "train_field_model").observe(80)
series.messages_in_progress.labels("training", "train_field_model").inc()
print("counted", flush=True)
sys.stdin.readline()
counting.close_metrics()
"""

TRAINING = {"queue_name": "training", "actor_name": "train_field_model"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


@pytest.fixture
def configured(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This process counts, for the time of one test."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    counting.configure_metrics(Settings(metrics={"directory": directory}))
    yield directory
    counting.close_metrics()


def start_process(directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=60)


def read(directory: Path, name: str, **labels: str) -> float | None:
    """One sample of a scrape of the folder."""
    for metric in Scrape([ProcessSource(directory)]).collect():
        for sample in metric.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def definitions(series: Series) -> dict[str, MetricWrapperBase]:
    return {name: getattr(series, name) for name in Series.__slots__}


class TestDefinitions:
    def test_dramatiqs_names_and_buckets_are_kept(self) -> None:
        # Read, not imported: the module makes a folder and reads the environment at import.
        spec = find_spec("dramatiq.middleware.prometheus")
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).read_text()
        names = set(re.findall(r'"(dramatiq_message\w+|dramatiq_delayed\w+)"', source))
        block = re.search(r"buckets=\((.*?)float", source, re.DOTALL)
        assert block is not None
        buckets = [float(number) for number in re.findall(r"\d+", block[1])]

        series = create_series()

        ours = {
            sample_name(metric)
            for metric in definitions(series).values()
            if metric._name.startswith("dramatiq")
        }
        assert ours == names
        assert series.message_durations_ms._upper_bounds == [*buckets, float("inf")]

    def test_ours_are_those_of_the_contract(self) -> None:
        ours = {
            sample_name(metric): metric._labelnames
            for metric in definitions(create_series()).values()
            if metric._name.startswith("lexiclass")
        }
        assert ours == {
            "lexiclass_task_duration_seconds": ("actor", "queue", "outcome"),
            "lexiclass_task_errors_total": ("actor", "outcome", "code"),
            "lexiclass_stage_duration_seconds": ("operation", "stage"),
            "lexiclass_documents_processed_total": ("operation",),
            "lexiclass_model_cache_total": ("result",),
            "lexiclass_index_lookups_total": ("operation", "result"),
            "lexiclass_task_wait_seconds": ("queue",),
            "lexiclass_leases_lapsed_total": ("actor",),
            "lexiclass_leases_lost_total": ("actor",),
            "lexiclass_documents_refused_total": ("operation",),
            "lexiclass_child_memory_peak_bytes": ("function",),
            "lexiclass_reconciler_last_success_timestamp_seconds": (),
            "lexiclass_reconciler_actions_total": ("action",),
        }

    def test_no_label_takes_an_id(self) -> None:
        labels = {
            label
            for metric in definitions(create_series()).values()
            for label in metric._labelnames
        }
        assert labels == {
            *("queue_name", "actor_name", "actor", "queue"),
            *("outcome", "code", "operation", "stage", "result", "function", "action"),
        }

    def test_seconds_reach_from_milliseconds_to_hours(self) -> None:
        bounds = create_series().task_durations_s._upper_bounds
        assert bounds == sorted(bounds)
        assert (bounds[0], bounds[-2]) == (0.005, 14_400.0)


def sample_name(metric: MetricWrapperBase) -> str:
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)


class TestRecording:
    def test_nothing_happens_in_a_process_that_does_not_count(self) -> None:
        assert counting.current_series() is None
        counting.observe_task(actor="a", queue="q", outcome="failed", code="CRASHED", seconds=1)
        counting.observe_stage(operation="train", stage="fit", seconds=1)
        counting.count_documents(operation="train", documents=5)
        counting.count_model_lookup(result="hit")
        counting.close_metrics()

    def test_what_a_child_says_makes_few_series_and_spoils_no_sum(
        self, configured: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(counting, "_stages", set())
        for number in range(300):
            counting.observe_stage(operation="train", stage=f"stage {number}", seconds=0.5)
            counting.count_index_lookups(operation="train", origins={f"origin {number}": 1})
        for seconds in (math.nan, math.inf, -1.0, "x", None):
            counting.observe_stage(operation="train", stage="stage 0", seconds=cast("Any", seconds))
            origins = {"indexed": cast("Any", seconds)}
            counting.count_index_lookups(operation="train", origins=origins)
        counting.count_index_lookups(operation="train", origins={"indexed": 3})

        samples = [
            sample
            for metric in Scrape([ProcessSource(configured)]).collect()
            for sample in metric.samples
        ]
        sums = [each for each in samples if each.name == "lexiclass_stage_duration_seconds_sum"]
        assert len(sums) <= 65
        assert sum(each.value for each in sums) == 150
        lookups = [each for each in samples if each.name == "lexiclass_index_lookups_total"]
        assert [each.value for each in lookups] == [3]

    def test_what_is_recorded_is_read(self, configured: Path) -> None:
        counting.observe_task(actor="a", queue="q", outcome="failed", code="CRASHED", seconds=700)
        counting.observe_stage(operation="train", stage="fit", seconds=0.5)
        counting.count_documents(operation="train", documents=5)
        counting.count_documents(operation="train", documents=6)
        counting.count_model_lookup(result="hit")

        task = {"actor": "a", "queue": "q", "outcome": "failed"}
        name = "lexiclass_task_duration_seconds"
        assert read(configured, f"{name}_sum", **task) == 700
        assert read(configured, f"{name}_bucket", le="600.0", **task) == 0
        assert read(configured, f"{name}_bucket", le="1800.0", **task) == 1
        errors = {"actor": "a", "outcome": "failed"}
        assert read(configured, "lexiclass_task_errors_total", code="CRASHED", **errors) == 1
        assert read(configured, "lexiclass_stage_duration_seconds_count", stage="fit") == 1
        assert read(configured, "lexiclass_documents_processed_total", operation="train") == 11
        assert read(configured, "lexiclass_model_cache_total", result="hit") == 1

    def test_waits_lapses_refusals_memory_and_reconciliations_are_read(
        self, configured: Path
    ) -> None:
        before = time.time()
        counting.observe_wait(queue="q", seconds=40)
        counting.observe_wait(queue="q", seconds=-5)  # the sender's clock is ahead
        counting.count_lapsed_lease(actor="a")
        counting.count_lost_lease(actor="a")
        counting.count_refused_documents(operation="index", documents=3)
        counting.observe_child_memory(function="module.name:train", peak_bytes=2**30)
        counting.note_reconciliation({"sent": 2, "failed": 0})

        assert read(configured, "lexiclass_task_wait_seconds_sum", queue="q") == 40
        assert read(configured, "lexiclass_task_wait_seconds_count", queue="q") == 2
        assert read(configured, "lexiclass_leases_lapsed_total", actor="a") == 1
        assert read(configured, "lexiclass_leases_lost_total", actor="a") == 1
        assert read(configured, "lexiclass_documents_refused_total", operation="index") == 3
        memory = "lexiclass_child_memory_peak_bytes"
        assert read(configured, f"{memory}_sum", function="train") == 2**30
        at = read(configured, "lexiclass_reconciler_last_success_timestamp_seconds")
        assert at is not None
        assert before <= at <= time.time()
        assert read(configured, "lexiclass_reconciler_actions_total", action="sent") == 2

    @pytest.mark.parametrize("code", ["CRASHED", "MEMORY_LIMIT", "STORAGE_ERROR"])
    def test_faults_are_there_before_the_first_of_them(self, configured: Path, code: str) -> None:
        """Prometheus sees an increase only of a series that it has seen before."""
        labels = {"actor": "train_field_model", "outcome": "failed"}
        counting.expect_reconciliations(["sent"])
        assert read(configured, "lexiclass_task_errors_total", code=code, **labels) == 0
        assert read(configured, "lexiclass_leases_lapsed_total", actor="train_field_model") == 0
        assert read(configured, "lexiclass_documents_refused_total", operation="index") == 0
        assert read(configured, "lexiclass_reconciler_actions_total", action="sent") == 0

    def test_a_code_that_nobody_declared_is_no_label(self, configured: Path) -> None:
        counting.observe_task(actor="a", queue="q", outcome="failed", code="project 7", seconds=1)
        labels = {"actor": "a", "outcome": "failed", "code": "unknown"}
        assert read(configured, "lexiclass_task_errors_total", **labels) == 1

    def test_configuring_again_for_the_same_folder_keeps_counting(self, configured: Path) -> None:
        before = counting.current_series()
        counting.configure_metrics(Settings(metrics={"directory": configured}))
        assert counting.current_series() is before


class TestProcesses:
    def test_processes_add_up_and_the_dead_leave_counts_but_no_gauge(self, directory: Path) -> None:
        first, second = start_process(directory), start_process(directory)
        assert read(directory, "dramatiq_messages_total", **TRAINING) == 10
        assert read(directory, "dramatiq_messages_inprogress", **TRAINING) == 2

        first.send_signal(signal.SIGKILL)
        first.communicate()
        assert read(directory, "dramatiq_messages_inprogress", **TRAINING) == 1
        assert read(directory, "dramatiq_messages_total", **TRAINING) == 10

        end(second)
        assert not read(directory, "dramatiq_messages_inprogress", **TRAINING)
        assert read(directory, "dramatiq_messages_total", **TRAINING) == 10
        duration = "dramatiq_message_duration_milliseconds"
        assert read(directory, f"{duration}_sum", **TRAINING) == 160
        assert read(directory, f"{duration}_bucket", le="75.0", **TRAINING) == 0
        assert read(directory, f"{duration}_bucket", le="100.0", **TRAINING) == 2

    def test_they_tell_since_when_their_counts_are_there(self, directory: Path) -> None:
        """Of a group that was started again as well, where the folder has kept its counts."""
        name = "lexiclass_counts_began_timestamp_seconds"
        before = time.time()
        end(start_process(directory))
        booted = time.time()
        began = read(directory, name)
        end(start_process(directory))

        # What a file is stamped with is a clock of a few milliseconds.
        assert began is not None
        assert before - 0.1 <= began <= booted
        assert read(directory, "dramatiq_messages_total", **TRAINING) == 10
        assert read(directory, name) == began

    @pytest.mark.slow
    def test_files_do_not_pile_up_over_restarts(self, directory: Path) -> None:
        for _ in range(3):
            end(start_process(directory))

        # Nobody scraped: each process cleaned up after those before it.
        assert len(list(directory.glob("counter_*.db"))) == 2
        assert read(directory, "dramatiq_messages_total", **TRAINING) == 15
        assert sorted(path.name for path in directory.iterdir()) == [
            "began",
            "counter_retired.db",
            "directory.lock",
            "histogram_retired.db",
            "scraped",
        ]

    def test_what_an_earlier_process_of_the_same_id_left_is_taken_over(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # In a container each restart has the same process ids.
        killed = start_process(directory)
        killed.kill()
        killed.communicate()
        for path in directory.glob(f"*_{killed.pid}.*"):
            path.rename(path.with_name(path.name.replace(str(killed.pid), str(os.getpid()))))

        monkeypatch.setattr(values, "ValueClass", values.ValueClass)
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
        counting.configure_metrics(Settings(metrics={"directory": directory}))
        try:
            assert not read(directory, "dramatiq_messages_inprogress", **TRAINING)
            assert read(directory, "dramatiq_messages_total", **TRAINING) == 5
        finally:
            counting.close_metrics()

    @pytest.mark.slow_variants
    @pytest.mark.parametrize(
        "content", [b"", b"\x00" * 4, b"\xff" * 64], ids=["empty", "short", "garbage"]
    )
    def test_a_damaged_file_of_a_dead_process_costs_what_is_in_it_only(
        self, directory: Path, content: bytes
    ) -> None:
        end(start_process(directory))
        (directory / "counter_999999999.db").write_bytes(content)

        assert read(directory, "dramatiq_messages_total", **TRAINING) == 5
        assert read(directory, "lexiclass_scrape_errors", source="processes") == 0


class TestDirectory:
    def test_it_is_ours_alone_and_named_for_the_port(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

        directory = open_directory(Settings(metrics={"port": 9999}))

        assert directory == tmp_path / f"lexiclass-worker-{os.geteuid()}-9999"
        assert directory.stat().st_mode & 0o777 == 0o700

    def test_a_link_in_its_place_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / f"lexiclass-worker-{os.geteuid()}-9999").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(ConfigurationError, match="METRICS__DIRECTORY"):
            open_directory(Settings(metrics={"port": 9999}))

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        settings: Any = Settings(metrics={"directory": tmp_path / "file" / "metrics"})

        with pytest.raises(ConfigurationError, match="METRICS__DIRECTORY"):
            open_directory(settings)


def test_counts_begin_anew_where_somebody_removed_their_files(configured: Path) -> None:
    """As cleaners of temporary files do: the folder whole, or what was not written to for long."""
    counting.count_model_lookup(result="hit")
    shutil.rmtree(configured)

    counting.count_model_lookup(result="hit")
    assert read(configured, "lexiclass_model_cache_total", result="hit") == 1

    for path in configured.iterdir():
        path.unlink()
    counting.count_model_lookup(result="hit")
    counting.count_model_lookup(result="hit")
    assert read(configured, "lexiclass_model_cache_total", result="hit") == 2


def test_a_folder_that_cannot_be_made_again_costs_counts_and_no_task(configured: Path) -> None:
    shutil.rmtree(configured)
    configured.write_text("in the way")

    counting.count_model_lookup(result="hit")

    configured.unlink()
    counting.count_model_lookup(result="hit")
    assert read(configured, "lexiclass_model_cache_total", result="hit") == 1
