from .calibration import expected_calibration_error
from .corpora import LabelledText, Refusal, read_corpus, split_of
from .errors import (
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
from .estimator import LexiClassClassifier
from .evaluation import evaluate, evaluate_decisions, evaluate_label_sets, unseen_classes
from .index import (
    DocumentIndex,
    Duplicate,
    IndexReport,
    Neighbour,
    SimilaritySearch,
    build_index,
    find_duplicates,
    index_key,
)
from .io import Document, DocumentLoader, UnreadableDocument
from .manifest import Manifest, read_manifest, verify_model
from .pipeline import Pipeline
from .plugins.base import (
    Classifier,
    EmbeddingExtractor,
    FeatureExtractor,
    InputKind,
    PluginContext,
    PluginType,
    RowKind,
    Tokenizer,
)
from .plugins.builtin import build_registry, default_registry
from .plugins.combinations import Combination
from .plugins.info import PluginInfo
from .plugins.registry import Registry
from .predictions import Prediction, Predictions
from .spec import PipelineSpec
from .stages import FitReport, Progress
from .tokens import TokenMatrix, Vocabulary

__version__: str

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
    "LexiClassClassifier",
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
