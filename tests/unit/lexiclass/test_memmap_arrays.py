"""Arrays that are mapped from safetensors files."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from safetensors.numpy import load_file

from lexiclass.errors import ModelCorrupt
from lexiclass.serialization import read_all_arrays, write_arrays

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
ARRAYS = arrays_of.arrays(
    st.sampled_from(DTYPES).map(np.dtype),
    arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4),
)


@given(arrays=st.dictionaries(st.text("abc_", min_size=1), ARRAYS, max_size=4))
def test_what_is_mapped_is_what_safetensors_reads(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "x.safetensors"
    write_arrays(path, arrays)

    mapped, read = read_all_arrays(path), load_file(path)

    assert mapped.keys() == read.keys() == arrays.keys()
    for name, array in read.items():
        assert (mapped[name].dtype, mapped[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(mapped[name], array)
        assert mapped[name].flags.aligned


def test_an_array_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_arrays(path, {"x": np.arange(100_000)})
    array = read_all_arrays(path)["x"]

    path.unlink()

    np.testing.assert_array_equal(array, np.arange(100_000))


def test_writing_to_an_array_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_arrays(path, {"x": np.arange(10)})
    before = path.read_bytes()

    read_all_arrays(path)["x"][:] = 7

    assert path.read_bytes() == before


def test_damage_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_arrays(path, {"a": np.arange(50, dtype=np.float32), "b": np.arange(9)})
    whole = path.read_bytes()
    generator = random.Random(0)
    outcomes = set()
    for number in range(400):
        damaged = bytearray(whole)
        if number % 4 == 0:
            del damaged[generator.randrange(len(whole)) :]
        else:
            damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            arrays = read_all_arrays(path)
        except ModelCorrupt:
            outcomes.add("noticed")
        else:
            outcomes.add("harmless")
            assert sum(array.nbytes for array in arrays.values()) <= len(damaged)
    assert outcomes == {"noticed", "harmless"}


@pytest.mark.parametrize(
    "header",
    [
        {"x": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}},
        {"x": {"dtype": "F16", "shape": [2**62], "data_offsets": [0, 2]}},
        {"x": {"dtype": "F16", "shape": [-1], "data_offsets": [0, 2]}},
        {"x": {"dtype": "F16", "shape": [1], "data_offsets": [-8, -6]}},
        {"x": 1},
        [],
    ],
    ids=str,
)
def test_headers_that_claim_what_is_not_there_are_refused(tmp_path: Path, header: object) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0\0")

    with pytest.raises(ModelCorrupt, match="not a safetensors file"):
        read_all_arrays(path)
