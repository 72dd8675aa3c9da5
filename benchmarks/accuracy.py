"""What each combination of plugins is worth on labelled texts: ``make bench-accuracy DATA=...``.

Trains every combination that can work on the training part of a corpus (.csv, .tsv or .jsonl with
the columns text, label and, if wanted, split; without a split a hash of the text holds out a fifth)
and tests it on the rest. Each combination runs in a process of its own, so that its peak memory is
its own, and under a time limit. What fails or takes too long is a row of the table too.

Times are of one run beside whatever else the machine does: compare them within a table only. CPU
times, over all threads, suffer less from that than documents a second do.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lexiclass import (
    LabelledText,
    LexiClassError,
    Pipeline,
    PipelineSpec,
    default_registry,
    evaluate,
    read_corpus,
    split_of,
)
from lexiclass.plugins.combinations import Combination

RESULTS = Path(__file__).parent / "results"
TEST_FRACTION = 0.2
COLUMNS = (
    ("combination", "{}"),
    ("accuracy", "{:.3f}"),
    ("macro F1", "{:.3f}"),
    ("ECE", "{:.3f}"),
    ("train docs/s", "{:,.0f}"),
    ("predict docs/s", "{:,.0f}"),
    ("train CPU ms/doc", "{:,.2f}"),
    ("predict CPU ms/doc", "{:,.2f}"),
    ("peak MB", "{:,.0f}"),
    ("model MB", "{:,.1f}"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One combination on one corpus.

    Attributes:
        combination: Names of the plugins that run, joined by plus signs.
        values: What was measured, by the names of :data:`COLUMNS`; empty if it failed.
        failure: Why nothing was measured.
    """

    combination: str
    values: Mapping[str, float]
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The documents of one split."""

    texts: list[str]
    labels: list[str]


class Stopwatch:
    """Wall-clock and processor time since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self, documents: int, what: str) -> dict[str, float]:
        """Return the speed of what was done to some documents meanwhile."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {f"{what} docs/s": documents / wall, f"{what} CPU ms/doc": 1000 * cpu / documents}


def main() -> None:
    """Measure all combinations in processes of their own, or in this one the given spec."""
    options = _options()
    if options.spec is not None:
        spec = PipelineSpec.model_validate_json(options.spec)
        print(json.dumps(measure(spec, *load(options.data, options.limit))))
        return
    train, test = load(options.data, options.limit)
    found = {str(combination): combination for combination in combinations()}
    chosen = [found[name] for name in found if any(fnmatch(name, only) for only in options.only)]
    if not chosen:
        sys.exit(f"no combination is like {', '.join(options.only)}; there are: {', '.join(found)}")
    print(f"{len(train.texts)} training and {len(test.texts)} test documents\n", flush=True)
    print(_header(), flush=True)
    about = {
        "corpus": _name(options),
        "num_training_documents": len(train.texts),
        "num_test_documents": len(test.texts),
    }
    runs = read_results(options.results, about)
    for combination in chosen:
        run = run_apart(combination, options)
        print(_row(run), flush=True)
        runs[run.combination] = run
        # After each one, so that what is measured stays if the rest is broken off.
        write_results(options.results, about, list(runs.values()))


def combinations() -> Sequence[Combination]:
    """Return what can work with what is installed here."""
    registry = default_registry()
    return [
        combination
        for combination in registry.combinations()
        if not any(info.missing() for info in registry.stages(combination.spec()).values())
    ]


def load(path: Path, limit: int | None) -> tuple[Part, Part]:
    """Read training and test documents.

    Args:
        path: The corpus.
        limit: Most training documents, the first ones; test documents are always all there are.
    """
    parts = {"train": Part([], []), "test": Part([], [])}
    records = (
        record
        for record in read_corpus(path)
        if isinstance(record, LabelledText) and record.label is not None
    )
    for record in records:
        part = parts[split_of(record, TEST_FRACTION)]
        if part is parts["train"] and len(part.texts) == limit:
            continue
        part.texts.append(record.text)
        part.labels.append(str(record.label))
    return parts["train"], parts["test"]


def measure(spec: PipelineSpec, train: Part, test: Part) -> dict[str, float]:
    """Train, store, load and test one pipeline."""
    pipeline = Pipeline(spec)
    watch = Stopwatch()
    pipeline.fit(train.texts, train.labels)
    training = watch.read(len(train.texts), "train")
    with TemporaryDirectory() as directory:
        model = Path(directory, "model")
        pipeline.save(model)
        size = sum(file.stat().st_size for file in model.rglob("*") if file.is_file())
        loaded = Pipeline.load(model)
        watch = Stopwatch()
        predictions = loaded.predict(test.texts)
        predicting = watch.read(len(test.texts), "predict")
    metrics = evaluate(test.labels, predictions)
    return {
        "accuracy": metrics["accuracy"],
        "macro F1": metrics["macro_f1"],
        "ECE": metrics["expected_calibration_error"],
        **training,
        **predicting,
        "peak MB": peak_bytes() / 1e6,
        "model MB": size / 1e6,
    }


def run_apart(combination: Combination, options: argparse.Namespace) -> Run:
    """Measure a combination in a process of its own."""
    command = [sys.executable, __file__, str(options.data), "--spec"]
    command.append(combination.spec(**_parameters(combination, options)).model_dump_json())
    if options.limit is not None:
        command += ["--limit", str(options.limit)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=options.time_limit, check=False
        )
    except subprocess.TimeoutExpired:
        return Run(str(combination), {}, f"took more than {options.time_limit} s")
    if done.returncode != 0:
        return Run(str(combination), {}, _last_line(done.stderr) or f"exit {done.returncode}")
    return Run(str(combination), json.loads(done.stdout.splitlines()[-1]))


def _parameters(combination: Combination, options: argparse.Namespace) -> dict[str, Any]:
    """Name the pretrained model to every plugin that has a parameter for it."""
    if options.pretrained is None:
        return {}
    stages = default_registry().stages(combination.spec())
    return {
        f"{place}_params": {"model": options.pretrained}
        for place, info in stages.items()
        if info.parameters.model_json_schema().get("properties", {}).get("model", {}).get("type")
        == "string"
    }


def peak_bytes() -> int:
    """Return the most memory this process has held.

    On Linux from /proc: the peak that getrusage tells includes the parent's at the time of the
    fork.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    if found is not None:
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def read_results(directory: Path, about: Mapping[str, Any]) -> dict[str, Run]:
    """Return what was measured before on the same documents, by combination."""
    path = directory / f"accuracy-{about['corpus']}.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    if any(content.get(name) != value for name, value in about.items()):
        return {}
    return {run["combination"]: Run(**run) for run in content["runs"]}


def write_results(directory: Path, about: Mapping[str, Any], runs: Sequence[Run]) -> None:
    """Write what was measured as JSON, and as a table in Markdown."""
    directory.mkdir(exist_ok=True)
    name = f"accuracy-{about['corpus']}"
    content = {**about, "runs": [asdict(run) for run in runs]}
    (directory / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    (directory / f"{name}.md").write_text(to_markdown(runs))


def to_markdown(runs: Sequence[Run]) -> str:
    """Return the table, the best accuracy first and failures last."""
    names = [name for name, _ in COLUMNS]
    lines = ["| " + " | ".join(names) + " |", "|---" + "|---:" * (len(names) - 1) + "|"]
    for run in sorted(runs, key=lambda run: -run.values.get("accuracy", -1)):
        cells = _cells(run) if run.values else [run.combination, run.failure or "failed"]
        cells += [""] * (len(names) - len(cells))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _name(options: argparse.Namespace) -> str:
    name = options.name or options.data.stem
    return name if options.limit is None else f"{name}-{options.limit}"


def _cells(run: Run) -> list[str]:
    values = {"combination": run.combination, **run.values}
    return [form.format(values[name]) for name, form in COLUMNS]


def _header() -> str:
    return f"{COLUMNS[0][0]:<36}" + "".join(f"{name:>20}" for name, _ in COLUMNS[1:])


def _row(run: Run) -> str:
    if not run.values:
        return f"{run.combination:<36}  {run.failure}"
    first, *rest = _cells(run)
    return f"{first:<36}" + "".join(f"{cell:>20}" for cell in rest)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="labelled texts")
    parser.add_argument(
        "--only", nargs="+", default=["*"], help="patterns of combinations, such as 'icu+*+svm'"
    )
    parser.add_argument("--limit", type=int, help="most training documents")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    parser.add_argument("--name", help="name of the results; the file's")
    parser.add_argument(
        "--time-limit", type=int, default=900, help="most seconds for a combination"
    )
    parser.add_argument("--pretrained", help="model for the plugins that need a pretrained one")
    parser.add_argument("--spec", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except LexiClassError as error:
        sys.exit(f"{error.code}: {error.message}")
