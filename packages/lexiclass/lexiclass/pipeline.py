"""From texts and labels to a model, to predictions, and to disk and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass.contrasts import Contrast, contrast
from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.familiarity import (
    FILE,
    CentroidFamiliarity,
    Familiarity,
    WordFamiliarity,
    load_familiarity,
)
from lexiclass.label_quality import TrainingEvidence
from lexiclass.labels import Labels
from lexiclass.manifest import MANIFEST_FILE, Manifest, training_digest, verify_model
from lexiclass.model_files import load_plugins, save_model
from lexiclass.plugins.assembly import Assembly
from lexiclass.plugins.base import EmbeddingExtractor, PluginContext
from lexiclass.plugins.builtin import default_registry
from lexiclass.plugins.registry import Registry
from lexiclass.predictions import Predictions
from lexiclass.spec import PipelineSpec
from lexiclass.stages import FitReport, Progress, Stages
from lexiclass.targets import Targets
from lexiclass.tokens import TokenMatrix, Vocabulary
from lexiclass.training import (
    Documents,
    Trained,
    check_texts,
    read_texts,
    train_classifier,
    train_plugins,
)

# Of probabilities that were scaled to sum to 1.
_ROUNDING = 1e-6


class Pipeline:
    """A tokenizer, a feature extractor and a classifier that belong together.

    Args:
        spec: What it is made of.
        registry: Where the plugins are found; the default one if not given.
        model_directory: The only place pretrained models may be read from by path; anywhere if not
            given. See :class:`~lexiclass.PluginContext`.
        allow_downloads: Whether a pretrained model that is not on this machine may be fetched.
        num_processes: Processes that training may use; see :mod:`lexiclass.processes`.

    Raises:
        PluginNotFound: If a plugin does not exist.
        PluginUnavailable: If what a plugin needs is not installed.
        InvalidParameters: If a parameter or the locale is not acceptable.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        registry: Registry | None = None,
        *,
        model_directory: Path | None = None,
        allow_downloads: bool = False,
        num_processes: int = 1,
    ) -> None:
        registry = default_registry() if registry is None else registry
        self.spec = registry.validate(spec)
        context = PluginContext(
            locale=spec.locale,
            seed=spec.seed,
            multi_label=spec.multi_label,
            model_directory=model_directory,
            allow_downloads=allow_downloads,
            num_processes=num_processes,
        )
        self._assembly = Assembly.create(self.spec, registry, context)
        self._tokenizer = self._assembly.tokenizer
        self._extractor = self._assembly.extractor
        self._classifier = self._assembly.classifier
        self._familiarity: Familiarity | None = None
        self._evidence: TrainingEvidence | None = None
        self._num_documents = 0
        self._training_digest = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, sorted; empty before training."""
        return self._classifier.classes

    @property
    def num_features(self) -> int:
        """Number of features; 0 where the classifier reads texts itself."""
        return self._assembly.num_features

    @property
    def num_calibration_documents(self) -> int | None:
        """How many documents confidences were fitted on; ``None`` where nobody says."""
        return self._classifier.num_calibration_documents

    @property
    def evidence(self) -> TrainingEvidence | None:
        """What the training that was just done knows of its documents' labels.

        ``None`` of a pipeline that was loaded (see :meth:`TrainingEvidence.load`), and where
        nothing was held out.
        """
        return self._evidence

    @property
    def uses_tokens(self) -> bool:
        """Whether an index of tokens can be used: documents are tokenized, and always alike."""
        return self._tokenizer is not None and not self._tokenizer.learns

    @property
    def embedder(self) -> EmbeddingExtractor | None:
        """The feature extractor, where an index of embeddings can be used: it learns nothing."""
        return self._extractor if isinstance(self._extractor, EmbeddingExtractor) else None

    def require_embedder(self) -> EmbeddingExtractor:
        """Return the embedder.

        Raises:
            InvalidParameters: If the feature extractor learns from the training documents.
        """
        if self.embedder is None:
            raise InvalidParameters(
                f"The feature extractor {self.spec.feature_extractor!r} learns from the training "
                "documents, so there is nothing computed before; use fit."
            )
        return self.embedder

    def tokenizer_identity(self) -> Mapping[str, str]:
        """Name what decides the tokens beside the spec; see :meth:`lexiclass.Tokenizer.identity`.

        Raises:
            InvalidParameters: If it reads texts, not tokens.
        """
        return self._assembly.require_tokenizer(self.spec).identity()

    def tokenize(self, texts: Iterable[str], vocabulary: Vocabulary | None = None) -> TokenMatrix:
        """Tokenize a stream of texts as this pipeline does; see :meth:`lexiclass.Tokenizer.encode`.

        Raises:
            InvalidParameters: If it reads texts, not tokens, or these are not strings.
        """
        return self._assembly.require_tokenizer(self.spec).encode(check_texts(texts), vocabulary)

    def fit(
        self, texts: Iterable[str], labels: Labels, *, progress: Progress | None = None
    ) -> FitReport:
        """Train on texts.

        Args:
            texts: Read once, in order, and tokenized as they come; all are held in memory where
                the tokenizer learns from them, or a plugin reads texts itself.
            labels: One per text; with ``multi_label`` a set of them, which may be empty.
            progress: Told of every stage.

        Raises:
            NotEnoughDocuments: With fewer than 2 documents or classes.
            EmptyVocabulary: If no feature is left.
            InvalidParameters: If there are not as many texts as labels, texts are not strings, or
                labels not strings or sets of them.
        """
        # Fails before any work where training can't succeed.
        Targets.encode(labels, multi_label=self.spec.multi_label)
        stages = Stages(progress)
        texts = check_texts(texts)
        documents, digests = read_texts(texts, self._tokenizer, stages, expected=len(labels))
        return self._fit(documents, labels, digests, stages)

    def fit_tokens(
        self,
        tokens: TokenMatrix,
        labels: Labels,
        *,
        digests: Sequence[str],
        progress: Progress | None = None,
    ) -> FitReport:
        """Train on documents this pipeline's tokenizer has tokenized before.

        Gives the same model as :meth:`fit` on their texts.

        Args:
            tokens: The documents.
            labels: One per document; with ``multi_label`` a set of them, which may be empty.
            digests: A digest of each document's content, for the manifest.
            progress: Told of every stage.

        Raises:
            NotEnoughDocuments: With fewer than 2 documents or classes.
            EmptyVocabulary: If no feature is left.
            InvalidParameters: If the lengths differ, or the pipeline reads texts, not tokens.
        """
        # Fails before any work where training can't succeed.
        Targets.encode(labels, multi_label=self.spec.multi_label)
        if self._assembly.require_tokenizer(self.spec).learns:
            raise InvalidParameters(
                f"The tokenizer {self.spec.tokenizer!r} learns from the training texts, so there "
                "can be no tokens before; use fit."
            )
        return self._fit(tokens, labels, digests, Stages(progress))

    def fit_embeddings(
        self,
        embeddings: NDArray[np.float32],
        labels: Labels,
        *,
        digests: Sequence[str],
        progress: Progress | None = None,
    ) -> FitReport:
        """Train on documents this pipeline's :attr:`embedder`, once prepared, has embedded before.

        Gives the same model as :meth:`fit` on their texts, to rounding.

        Args:
            embeddings: (n, dimension) the documents.
            labels: One per document; with ``multi_label`` a set of them, which may be empty.
            digests: A digest of each document's content, for the manifest.
            progress: Told of every stage.

        Raises:
            NotEnoughDocuments: With fewer than 2 documents or classes.
            InvalidParameters: If the lengths differ, or the pipeline has no embedder.
        """
        Targets.encode(labels, multi_label=self.spec.multi_label)
        self.require_embedder().take_rows(embeddings)
        trained = train_classifier(self._assembly, embeddings, labels, digests, Stages(progress))
        return self._note(trained, labels, digests)

    def contrast(
        self,
        documents: TokenMatrix | Sequence[str],
        given: Sequence[str],
        better: Sequence[str],
    ) -> list[Contrast] | None:
        """Tell which terms of documents speak for one class over another.

        Args:
            documents: n documents as this pipeline's tokenizer gave them, or their texts.
            given: The one class of each.
            better: The other class of each.

        Returns:
            One for each document; ``None`` where features have no names (embeddings), or scores
            are no sums over them (``xgboost``, ``transformer``).

        Raises:
            InvalidParameters: If the pipeline is not trained.
        """
        self._require_trained()
        columns = {name: column for column, name in enumerate(self.classes)}
        first, second = ([columns[name] for name in names] for names in (given, better))
        return contrast(self._assembly, documents, np.array(first, int), np.array(second, int))

    def predict(self, texts: Iterable[str], *, batch_size: int = 1024) -> Predictions:
        """Predict the classes of texts.

        Args:
            texts: Read once, in order.
            batch_size: Texts held in memory at a time.

        Raises:
            InvalidParameters: If the pipeline is not trained, these are not strings, or none is to
                be held.
        """
        self._require_trained()
        if batch_size < 1:
            raise InvalidParameters(f"batch_size is {batch_size}; hold at least one text.")
        stream = check_texts(texts)
        parts = []
        while batch := list(islice(stream, batch_size)):
            documents = batch if self._tokenizer is None else self._tokenizer.encode(batch)
            parts.append(self._predict(documents))
        return Predictions.joined(parts or [self._predictions(np.empty((0, len(self.classes))))])

    def predict_tokens(self, tokens: TokenMatrix) -> Predictions:
        """Predict the classes of documents this pipeline's tokenizer has tokenized before.

        Raises:
            InvalidParameters: If the pipeline is not trained, or reads texts, not tokens.
        """
        self._require_trained()
        self._assembly.require_tokenizer(self.spec)
        return self._predict(tokens)

    def predict_embeddings(self, embeddings: NDArray[np.float32]) -> Predictions:
        """Predict the classes of documents this pipeline's :attr:`embedder` has embedded before.

        Raises:
            InvalidParameters: If the pipeline is not trained, or has no embedder.
        """
        self._require_trained()
        self.require_embedder()
        probabilities = self._checked(self._classifier.predict_proba(embeddings))
        return self._predictions(probabilities, None, self._by_place(embeddings))

    def save(
        self,
        directory: Path,
        *,
        metadata: Mapping[str, Any] | None = None,
        document_ids: NDArray[np.int64] | None = None,
    ) -> Manifest:
        """Write the model to a directory, which appears complete or not at all.

        Args:
            directory: Must not exist, or be empty.
            metadata: JSON values to keep in the manifest.
            document_ids: (n,) ids of the documents it was just trained on, by which
                :attr:`evidence` names them; their places if not given.

        Returns:
            What was written.

        Raises:
            InvalidParameters: If the pipeline is not trained, the directory is not empty, the
                metadata have no JSON form, there are fewer ids than documents, or a plugin's state
                can't be stored.
        """
        self._require_trained()
        evidence = self._evidence
        if evidence is not None and document_ids is not None:
            evidence = evidence.named(document_ids)
        return save_model(
            directory,
            self._assembly.plugins,
            self._familiarity,
            evidence,
            spec=self.spec,
            classes=self.classes,
            num_documents=self._num_documents,
            num_features=self.num_features,
            num_calibration_documents=self.num_calibration_documents,
            training_digest=self._training_digest,
            metadata={} if metadata is None else dict(metadata),
        )

    @classmethod
    def load(
        cls,
        directory: Path,
        *,
        registry: Registry | None = None,
        model_directory: Path | None = None,
        digest: str | None = None,
    ) -> Pipeline:
        """Read a model. Every byte is checked against the manifest before any of it is parsed.

        Args:
            directory: What :meth:`save` wrote.
            registry: Where the plugins are found; the default one if not given.
            model_directory: The only place pretrained models it refers to may be read from by path.
            digest: :attr:`~lexiclass.manifest.Manifest.file_digest` that the manifest must have,
                where it was kept; any if not given.

        Raises:
            ModelCorrupt: If a file is missing, changed, unknown or not understood, or the model is
                another one.
            PluginMismatch: If the installed libraries would predict otherwise.
            PluginNotFound: If a plugin does not exist here.
            PluginUnavailable: If what a plugin needs is not installed.
        """
        manifest = verify_model(directory, digest=digest)
        try:
            pipeline = cls(manifest.spec, registry, model_directory=model_directory)
        except InvalidParameters as error:
            raise ModelCorrupt(MANIFEST_FILE, error.message) from error
        load_plugins(directory, manifest, pipeline._assembly.plugins)
        if pipeline.classes != manifest.classes:
            raise ModelCorrupt(MANIFEST_FILE, "names other classes than the classifier")
        if FILE in manifest.files:
            pipeline._familiarity = load_familiarity(directory, pipeline.num_features)
            if pipeline._familiarity.kind != pipeline._kind_of_familiarity:
                raise ModelCorrupt(FILE, "not for what this pipeline reads")
        pipeline._num_documents = manifest.num_documents
        pipeline._classifier.num_calibration_documents = manifest.num_calibration_documents
        pipeline._training_digest = manifest.training_digest
        return pipeline

    def _fit(
        self, documents: Documents, labels: Labels, digests: Sequence[str], stages: Stages
    ) -> FitReport:
        trained = train_plugins(self._assembly, documents, labels, digests, stages)
        return self._note(trained, labels, digests)

    def _note(self, trained: Trained, labels: Labels, digests: Sequence[str]) -> FitReport:
        report, self._familiarity, self._evidence = trained
        self._num_documents = len(labels)
        self._training_digest = training_digest(zip(digests, labels, strict=True))
        return report

    def _predict(self, documents: Documents) -> Predictions:
        # Absurd numbers of a model overflow; what comes of it is looked at.
        with np.errstate(all="ignore"):
            rows = documents if self._extractor is None else self._extractor.transform(documents)
            probabilities = self._checked(self._classifier.predict_proba(rows))
        reader = self._classifier if self._extractor is None else self._extractor
        known, familiarity = reader.known_words(documents), self._by_place(rows)
        if isinstance(self._familiarity, WordFamiliarity) and known is not None:
            assert isinstance(documents, TokenMatrix)  # noqa: S101 - checked when it was loaded
            familiarity = self._familiarity.p_values(known, documents.lengths)
        words = documents.lengths if isinstance(documents, TokenMatrix) else None
        return self._predictions(probabilities, known, familiarity, words)

    def _by_place(self, rows: Any) -> NDArray[np.float64] | None:
        """Return p-values by where rows lie, if that is what the pipeline has learned."""
        found = self._familiarity
        return found.p_values(rows) if isinstance(found, CentroidFamiliarity) else None

    @property
    def _kind_of_familiarity(self) -> str | None:
        if self.embedder is not None:
            return CentroidFamiliarity.kind
        reads_words = self._tokenizer is not None and self._extractor is not None
        return WordFamiliarity.kind if reads_words else None

    def _checked(self, probabilities: Any) -> Any:
        """Refuse what no calibrator gives; numbers that each look right can come to it."""
        lowest, highest = probabilities.min(initial=0), probabilities.max(initial=0)
        if not (lowest >= 0 and highest <= 1 + _ROUNDING):
            raise ModelCorrupt("classifier", "its probabilities are none")
        return probabilities

    def _predictions(
        self,
        probabilities: Any,
        known_words: NDArray[np.int64] | None = None,
        familiarity: NDArray[np.float64] | None = None,
        num_words: NDArray[np.int64] | None = None,
    ) -> Predictions:
        threshold = self.spec.threshold if self.spec.multi_label else None
        return Predictions(
            self.classes, probabilities, threshold, known_words, familiarity, num_words
        )

    def _require_trained(self) -> None:
        if not self.classes:
            raise InvalidParameters("The pipeline is not trained; call fit or load a model.")
