"""The front doors: what ``dramatiq actors`` loads.

Importing this package makes the broker from the settings, before any actor is declared on it.
"""

import dramatiq

from lexiclass_worker.config import ConfigurationError, load_settings
from lexiclass_worker.worker import WorkerBroker

try:
    dramatiq.set_broker(WorkerBroker(load_settings()))
except ConfigurationError as error:
    # The kind of failure that `dramatiq` reports as such, with exit code 2.
    raise ImportError(str(error)) from None

from actors.describe import describe_document
from actors.erase import delete_project, erase_documents
from actors.evaluate import evaluate_field_model
from actors.index import index_document_chunk, index_documents
from actors.predict import predict_document_chunk, predict_field_documents
from actors.train import train_field_model

__all__ = [
    "delete_project",
    "describe_document",
    "erase_documents",
    "evaluate_field_model",
    "index_document_chunk",
    "index_documents",
    "predict_document_chunk",
    "predict_field_documents",
    "train_field_model",
]
