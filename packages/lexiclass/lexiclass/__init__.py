"""Document classification with plugins, calibrated confidences and models that load safely."""

from lexiclass.calibration import expected_calibration_error
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
from lexiclass.evaluation import evaluate
from lexiclass.io import Document, DocumentLoader, UnreadableDocument
from lexiclass.manifest import Manifest, read_manifest, verify_model
from lexiclass.pipeline import FitReport, Pipeline, Progress
from lexiclass.plugins.base import (
    Classifier,
    FeatureExtractor,
    InputKind,
    PluginContext,
    PluginType,
    Tokenizer,
)
from lexiclass.plugins.builtin import build_registry, default_registry
from lexiclass.plugins.registry import PluginInfo, Registry
from lexiclass.predictions import Prediction, Predictions
from lexiclass.spec import PipelineSpec
from lexiclass.tokens import TokenMatrix, Vocabulary

__all__ = [
    "Classifier",
    "Document",
    "DocumentLoader",
    "DocumentUnreadable",
    "EmptyVocabulary",
    "FeatureExtractor",
    "FitReport",
    "InputKind",
    "InvalidParameters",
    "LexiClassError",
    "Manifest",
    "ModelCorrupt",
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
    "Registry",
    "TokenMatrix",
    "Tokenizer",
    "UnreadableDocument",
    "Vocabulary",
    "build_registry",
    "default_registry",
    "evaluate",
    "expected_calibration_error",
    "read_manifest",
    "verify_model",
]
