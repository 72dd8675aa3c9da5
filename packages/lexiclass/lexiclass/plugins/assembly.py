"""The plugins of one pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lexiclass.errors import InvalidParameters
from lexiclass.plugins.base import (
    Classifier,
    FeatureExtractor,
    Plugin,
    PluginContext,
    PluginType,
    Tokenizer,
)
from lexiclass.plugins.registry import Registry
from lexiclass.spec import PipelineSpec


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """New plugins of the stages that run, none of others; see :meth:`lexiclass.Registry.stages`."""

    tokenizer: Tokenizer | None
    extractor: FeatureExtractor | None
    classifier: Classifier

    @classmethod
    def create(cls, spec: PipelineSpec, registry: Registry, context: PluginContext) -> Assembly:
        """Make the plugins of a pipeline that :meth:`lexiclass.Registry.validate` returned.

        Raises:
            PluginUnavailable: If a plugin can't be used here.
            InvalidParameters: If a parameter is not acceptable.
        """
        stages = registry.stages(spec)
        tokenizer, extractor = None, None
        if PluginType.TOKENIZER in stages:
            tokenizer = registry.create(
                Tokenizer,  # type: ignore[type-abstract]  # only compared with
                spec.tokenizer,
                spec.tokenizer_params,
                context,
            )
        if PluginType.FEATURE_EXTRACTOR in stages:
            extractor = registry.create(
                FeatureExtractor,  # type: ignore[type-abstract]
                spec.feature_extractor,
                spec.feature_extractor_params,
                context,
            )
        classifier = registry.create(
            Classifier,  # type: ignore[type-abstract]
            spec.classifier,
            spec.classifier_params,
            context,
        )
        return cls(tokenizer, extractor, classifier)

    @property
    def plugins(self) -> Mapping[PluginType, Plugin]:
        """The plugins by their place in the pipeline."""
        found = (self.tokenizer, self.extractor, self.classifier)
        return {plugin.place: plugin for plugin in found if plugin is not None}

    @property
    def num_features(self) -> int:
        """Number of features; 0 where the classifier reads texts itself."""
        return 0 if self.extractor is None else self.extractor.num_features()

    def require_tokenizer(self, spec: PipelineSpec) -> Tokenizer:
        """Return the tokenizer.

        Raises:
            InvalidParameters: If texts are not tokenized, naming the plugin that reads them.
        """
        if self.tokenizer is None:
            reader = spec.classifier if self.extractor is None else spec.feature_extractor
            raise InvalidParameters(
                f"{reader!r} reads texts, not tokens; use fit and predict on texts."
            )
        return self.tokenizer
