"""Which plugins go together, and which stages of a pipeline run at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from lexiclass.errors import InvalidParameters
from lexiclass.plugins.base import InputKind, PluginType
from lexiclass.plugins.info import PluginInfo
from lexiclass.spec import PipelineSpec

Stages = Mapping[PluginType, PluginInfo]

# Where messages to a worker have another default than a pipeline, for the sake of their senders.
_DEFAULTS_OF_MESSAGES = {PluginType.FEATURE_EXTRACTOR: "bow"}


@dataclass(frozen=True, slots=True)
class Combination:
    """Plugins that go together; ``None`` where a stage does not run."""

    tokenizer: str | None
    feature_extractor: str | None
    classifier: str

    def spec(self, **fields: Any) -> PipelineSpec:
        """Make a pipeline of it, with further fields of the :class:`~lexiclass.PipelineSpec`."""
        named = {place: getattr(self, place) for place in map(str, PluginType)}
        return PipelineSpec(
            **{place: name for place, name in named.items() if name is not None}, **fields
        )

    def __str__(self) -> str:
        names = (self.tokenizer, self.feature_extractor, self.classifier)
        return "+".join(name for name in names if name is not None)


def running_stages(plugin: Callable[[PluginType], PluginInfo]) -> list[PluginInfo]:
    """Return the plugins that run, in order: from the first one that reads texts."""
    stages = [plugin(PluginType.CLASSIFIER)]
    if stages[0].reads is InputKind.FEATURES:
        stages.insert(0, plugin(PluginType.FEATURE_EXTRACTOR))
    if stages[0].reads is InputKind.TOKENS:
        stages.insert(0, plugin(PluginType.TOKENIZER))
    return stages


def find_combinations(
    plugins: Iterable[PluginInfo], *, multi_label: bool
) -> tuple[Combination, ...]:
    """Return all combinations that can work, each once."""
    places: dict[PluginType, list[PluginInfo]] = {place: [] for place in PluginType}
    for info in plugins:
        places[info.type].append(info)
    found: dict[Combination, None] = {}
    for choice in product(*places.values()):
        named = {info.type: info for info in choice}
        stages = {info.type: info for info in running_stages(named.__getitem__)}
        if _rows_fit(stages) and (stages[PluginType.CLASSIFIER].multi_label or not multi_label):
            names = {place: info.name for place, info in stages.items()}
            combination = Combination(
                tokenizer=names.get(PluginType.TOKENIZER),
                feature_extractor=names.get(PluginType.FEATURE_EXTRACTOR),
                classifier=names[PluginType.CLASSIFIER],
            )
            found[combination] = None
    return tuple(found)


def check_combination(plugins: Sequence[PluginInfo], spec: PipelineSpec, stages: Stages) -> None:
    """Check that the plugins of a pipeline go together and that nothing asked for is ignored.

    Raises:
        InvalidParameters: Saying why not, and the nearest that would.
    """
    classifier = stages[PluginType.CLASSIFIER]
    if spec.multi_label and not classifier.multi_label:
        able = [info.name for info in plugins if info.multi_label]
        raise _refused(
            f"The classifier {classifier.name!r} gives every document one class", "classifier", able
        )
    if not spec.multi_label and spec.threshold != _default("threshold"):
        raise InvalidParameters(
            "threshold has a meaning with multi_label=True only; leave it out, or set that."
        )
    if not _rows_fit(stages):
        extractor = stages[PluginType.FEATURE_EXTRACTOR]
        able = [
            info.name
            for info in plugins
            if info.type is extractor.type and info.gives in classifier.takes
        ]
        raise _refused(
            f"The feature extractor {extractor.name!r} gives {extractor.gives} rows, which the "
            f"classifier {classifier.name!r} does not take",
            "feature_extractor",
            able,
        )
    reader = next(iter(stages.values()))
    for place in PluginType:
        if place not in stages:
            _check_left_out(spec, place, reader)


def describe_rows(info: PluginInfo) -> dict[str, Any]:
    """Return what is known of a plugin's output and rows, as JSON."""
    match info.type:
        case PluginType.TOKENIZER:
            return {"output": "tokens"}
        case PluginType.FEATURE_EXTRACTOR:
            return {"output": f"{info.gives} rows"}
        case PluginType.CLASSIFIER:
            takes = sorted(info.takes) if info.reads is InputKind.FEATURES else []
            return {"output": "classes", "takes": takes, "multi_label": info.multi_label}


def _rows_fit(stages: Stages) -> bool:
    extractor = stages.get(PluginType.FEATURE_EXTRACTOR)
    return extractor is None or extractor.gives in stages[PluginType.CLASSIFIER].takes


def _check_left_out(spec: PipelineSpec, place: PluginType, reader: PluginInfo) -> None:
    # A default is no wish: messages from other programs name the defaults of stages that don't run.
    name, default = getattr(spec, place), _default(place)
    parameters = getattr(spec, f"{place}_params")
    is_default = name in (default, _DEFAULTS_OF_MESSAGES.get(place))
    if is_default and not parameters:
        return
    what = f"{place}_params" if is_default else f"The {place} {name!r}"
    raise InvalidParameters(
        f"{what} would be ignored: the {reader.type} {reader.name!r} reads texts itself. Leave out "
        f"{place} and {place}_params, or choose a {reader.type} that reads {_usual(reader)}.",
        details={"ignored": str(place), "name": name, "nearest": {str(place): default}},
    )


def _usual(reader: PluginInfo) -> str:
    return "features" if reader.type is PluginType.CLASSIFIER else "tokens"


def _refused(why: str, place: str, able: Sequence[str]) -> InvalidParameters:
    return InvalidParameters(
        f"{why}. Choose for {place}: {', '.join(able) or 'none is installed that could'}.",
        details={"nearest": {place: list(able)}},
    )


def _default(field: str) -> Any:
    return PipelineSpec.model_fields[field].default
