"""What makes two indexes the same kind: the tokenizer and everything that changes its output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationInfo, field_validator

from lexiclass.compatibility import spelled_out
from lexiclass.index.store.manifest import Configuration
from lexiclass.locales import check_locale
from lexiclass.plugins.base import PluginContext, PluginType, Tokenizer
from lexiclass.plugins.builtin import default_registry
from lexiclass.plugins.registry import Registry


class IndexConfiguration(Configuration):
    """A tokenizer, its language and its parameters, every one spelled out."""

    plugin = "tokenizer"
    key_digits = 8

    tokenizer: str
    locale: str
    params: dict[str, Any]

    @field_validator("params")
    @classmethod
    def _spelled_out(cls, params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return spelled_out(PluginType.TOKENIZER, info.data.get("tokenizer", ""), params)

    @classmethod
    def of(
        cls,
        tokenizer: str,
        locale: str,
        params: Mapping[str, Any] | None = None,
        *,
        registry: Registry | None = None,
    ) -> Self:
        """Fill in the defaults of the parameters.

        Raises:
            PluginNotFound: If there is no such tokenizer.
            InvalidParameters: If a parameter or the locale is not acceptable.
        """
        registry = default_registry() if registry is None else registry
        info = registry.get(PluginType.TOKENIZER, tokenizer)
        parsed = info.parse({} if params is None else params)
        return cls(
            tokenizer=tokenizer, locale=check_locale(locale), params=parsed.model_dump(mode="json")
        )

    @property
    def name(self) -> str:
        """Tokenizer and language."""
        return f"{self.tokenizer}-{self.locale}"

    def make_tokenizer(self, registry: Registry | None, model_directory: Path | None) -> Tokenizer:
        """Make the tokenizer; see :meth:`lexiclass.DocumentIndex.make_tokenizer`."""
        registry = default_registry() if registry is None else registry
        return registry.create(
            Tokenizer,  # type: ignore[type-abstract]  # only compared with
            self.tokenizer,
            self.params,
            PluginContext(locale=self.locale, model_directory=model_directory),
        )


def index_key(
    tokenizer: str = "icu",
    locale: str = "en",
    params: Mapping[str, Any] | None = None,
    *,
    registry: Registry | None = None,
) -> str:
    """Return the directory name for an index, such as ``icu-en-1a2b3c4d``.

    Parameters left out and parameters given their default make the same name.

    Raises:
        PluginNotFound: If there is no such tokenizer.
        InvalidParameters: If a parameter or the locale is not acceptable.
    """
    return IndexConfiguration.of(tokenizer, locale, params, registry=registry).key
