"""Two plugins for lexiclass: one by its own base class, one with plain methods."""

from lexiclass import PluginInfo, PluginType
from lexiclass_plugin_example.parameters import CentroidParameters, CharactersParameters

# Implementations are named, not imported: describing a plugin should cost nothing.
PLUGINS = (
    PluginInfo(
        name="characters",
        type=PluginType.TOKENIZER,
        description="Runs of characters, for short texts, names and any language",
        implementation="lexiclass_plugin_example.characters:CharactersTokenizer",
        parameters=CharactersParameters,
    ),
    PluginInfo(
        name="centroid",
        type=PluginType.CLASSIFIER,
        description="The class whose mean document is nearest",
        implementation="lexiclass_plugin_example.centroid:CentroidClassifier",
        parameters=CentroidParameters,
    ),
)
