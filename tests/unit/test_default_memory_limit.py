"""What one task may take where nobody has said it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lexiclass_worker.config import ConfigurationError, make_settings
from lexiclass_worker.sandbox.memory import available_memory, default_memory_limit

GIBIBYTE = 2**30


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    (folder / "meminfo").write_text(f"MemTotal:  {16 * 2**20} kB\nMemFree: 5 kB\n")
    return folder


def test_it_is_a_share_of_the_memory_for_each_of_the_tasks() -> None:
    memory = available_memory()
    assert memory is not None

    assert default_memory_limit(4) == int(memory * 0.8) // 4


def test_a_machine_without_control_groups_has_its_memory(proc: Path, tmp_path: Path) -> None:
    assert available_memory(proc, tmp_path / "none") == 16 * GIBIBYTE


@pytest.mark.parametrize(
    ("seen_as", "lies_in"),
    [
        ("0::/a/b", "a/b"),
        ("0::/a/b", "a"),
        ("0::/", ""),
        # A path that is seen from outside the container only.
        ("0::/kubepods/pod1", ""),
        ("0::/../../elsewhere", ""),
    ],
)
def test_a_control_group_and_those_it_lies_in_bound_it(
    proc: Path, tmp_path: Path, seen_as: str, lies_in: str
) -> None:
    groups = tmp_path / "cgroup"
    (groups / "a" / "b").mkdir(parents=True)
    (groups / "a" / "memory.max").write_text("max\n")
    (proc / "self" / "cgroup").write_text(f"{seen_as}\n")
    (groups / lies_in / "memory.max").write_text(f"{2 * GIBIBYTE}\n")

    assert available_memory(proc, groups) == 2 * GIBIBYTE


def test_the_first_version_of_control_groups_bounds_it_too(proc: Path, tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    (groups / "memory" / "box").mkdir(parents=True)
    (groups / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (groups / "memory" / "box" / "memory.limit_in_bytes").write_text(f"{3 * GIBIBYTE}\n")
    (proc / "self" / "cgroup").write_text("5:cpu,cpuacct:/box\n4:memory:/box\n")

    assert available_memory(proc, groups) == 3 * GIBIBYTE


def test_where_memory_cannot_be_told_there_is_no_limit(tmp_path: Path) -> None:
    assert available_memory(tmp_path, tmp_path) is None


CONFIGURED = """
import json
from lexiclass_worker.config import Settings
from lexiclass_worker.setting_groups import LimitSettings
from lexiclass_worker.sandbox import Sandbox
found = []
for memory_bytes in (None, 0, 2**30):
    settings = Settings(limits=LimitSettings(memory_bytes=memory_bytes))
    found.append(Sandbox.from_settings(settings, tasks=2).memory_limit_bytes)
print(json.dumps(found))
"""


def test_the_default_can_be_overruled_and_turned_off() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFIGURED], capture_output=True, text=True, check=True
    )
    default = default_memory_limit(2)

    assert json.loads(done.stdout) == [default, None, GIBIBYTE]


@pytest.mark.parametrize("size", ["1", "1048575", "-1"])
def test_a_limit_that_leaves_no_room_is_refused(size: str) -> None:
    with pytest.raises(ConfigurationError, match=r"LIMITS__MEMORY_BYTES: .*at least 1048576, or 0"):
        make_settings({"LIMITS__MEMORY_BYTES": size})
