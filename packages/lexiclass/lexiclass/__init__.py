"""Document classification with plugins, calibrated confidences and models that load safely."""

from lexiclass.calibration import expected_calibration_error
from lexiclass.corpora import LabelledText, Refusal, read_corpus, split_of
from lexiclass.errors import (
    DocumentUnreadable,
    EmptyVocabulary,
    InvalidParameters,
    LexiClassError,
    ModelCorrupt,
    NoDocuments,
    NotEnoughDocuments,
    PluginMismatch,
    PluginNotFound,
    PluginUnavailable,
)
from lexiclass.evaluation import (
    evaluate,
    evaluate_decisions,
    evaluate_label_sets,
    unseen_classes,
)
from lexiclass.index import (
    DocumentIndex,
    Duplicate,
    IndexReport,
    Neighbour,
    SimilaritySearch,
    build_index,
    find_duplicates,
    index_key,
)
from lexiclass.io import Document, DocumentLoader, UnreadableDocument
from lexiclass.manifest import Manifest, read_manifest, verify_model
from lexiclass.pipeline import Pipeline
from lexiclass.plugins.base import (
    Classifier,
    EmbeddingExtractor,
    FeatureExtractor,
    InputKind,
    PluginContext,
    PluginType,
    RowKind,
    Tokenizer,
)
from lexiclass.plugins.builtin import build_registry, default_registry
from lexiclass.plugins.combinations import Combination
from lexiclass.plugins.info import PluginInfo
from lexiclass.plugins.registry import Registry
from lexiclass.predictions import Prediction, Predictions
from lexiclass.spec import PipelineSpec
from lexiclass.stages import FitReport, Progress
from lexiclass.tokens import TokenMatrix, Vocabulary

__all__ = [
    "Classifier",
    "Combination",
    "Document",
    "DocumentIndex",
    "DocumentLoader",
    "DocumentUnreadable",
    "Duplicate",
    "EmbeddingExtractor",
    "EmptyVocabulary",
    "FeatureExtractor",
    "FitReport",
    "IndexReport",
    "InputKind",
    "InvalidParameters",
    "LabelledText",
    "LexiClassError",
    "Manifest",
    "ModelCorrupt",
    "Neighbour",
    "NoDocuments",
    "NotEnoughDocuments",
    "Pipeline",
    "PipelineSpec",
    "PluginContext",
    "PluginInfo",
    "PluginMismatch",
    "PluginNotFound",
    "PluginType",
    "PluginUnavailable",
    "Prediction",
    "Predictions",
    "Progress",
    "Refusal",
    "Registry",
    "RowKind",
    "SimilaritySearch",
    "TokenMatrix",
    "Tokenizer",
    "UnreadableDocument",
    "Vocabulary",
    "build_index",
    "build_registry",
    "default_registry",
    "evaluate",
    "evaluate_decisions",
    "evaluate_label_sets",
    "expected_calibration_error",
    "find_duplicates",
    "index_key",
    "read_corpus",
    "read_manifest",
    "split_of",
    "unseen_classes",
    "verify_model",
]
