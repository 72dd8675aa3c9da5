"""Where torch computes, with which numbers, and the same way every time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from lexiclass.errors import PluginUnavailable

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Where, and in which type costly products are computed; weights stay float32."""

    device: str
    precision: str

    @classmethod
    def choose(cls, device: str, precision: str, *, strict: bool) -> Session:
        """Choose from what this machine has; ``auto`` is the best of it.

        Models move between machines: where one is loaded, which is not strict, another device than
        the one asked for is no error.

        Raises:
            PluginUnavailable: If there is no such device.
        """
        available = _devices()
        if device != "auto" and device not in available:
            if strict:
                raise PluginUnavailable(
                    f"There is no device {device!r} here; there are: {', '.join(available)}. "
                    "Set device to one of them, or to 'auto'.",
                    details={"device": device, "available": list(available)},
                )
            _log.warning("no device %s here; taking %s", device, available[0])
        chosen = device if device in available else available[0]
        if precision == "auto":
            precision = _fast_precision(chosen)
        elif precision == "float16" and chosen == "cpu":
            precision = "float32"  # float16 is for GPUs: torch can't scale its gradients on a CPU
        return cls(device=chosen, precision=precision)

    def autocast(self) -> Any:
        """Return a context in which products are computed in the precision chosen."""
        return torch.autocast(
            self.device,
            dtype=getattr(torch, self.precision),
            enabled=self.precision != "float32",
        )

    @contextmanager
    def reproducible(self, seed: int) -> Iterator[None]:
        """Seed torch and, on a CPU, refuse what is not the same every time; undone at the end.

        A GPU adds up in another order each time: what it trains differs in the last digits.
        """
        devices = [torch.cuda.current_device()] if self.device == "cuda" else []
        strict = torch.are_deterministic_algorithms_enabled()
        only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            if self.device == "cpu":
                torch.use_deterministic_algorithms(mode=True)
            try:
                yield
            finally:
                torch.use_deterministic_algorithms(strict, warn_only=only_warns)


def _devices() -> tuple[str, ...]:
    found = (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
        ("cpu", True),
    )
    return tuple(name for name, there in found if there)


def _fast_precision(device: str) -> str:
    if device != "cuda":
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
