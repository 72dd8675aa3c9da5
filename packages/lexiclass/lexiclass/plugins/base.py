"""What a plugin must offer.

A native plugin derives from one of the three classes here and is constructed as
``Plugin(parameters, context)``. A class with the plain methods of the predecessor (``tokenize``;
``fit``/``transform``; ``train``/``predict``) works too: see
:mod:`lexiclass.plugins.classic.adapters`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lexiclass.label_quality import HeldOut
from lexiclass.labels import Labels
from lexiclass.plugins.plugin_type import PluginType as PluginType  # noqa: PLC0414 - exported
from lexiclass.plugins.training_rows import Relearn, TrainingRows
from lexiclass.rows import Rows
from lexiclass.tokens import TokenMatrix, Vocabulary

#: Called as ``progress(done, total)``; the unit is the plugin's own.
PluginProgress = Callable[[int, int], None]


class InputKind(StrEnum):
    """What a plugin is given: it decides which earlier stages of a pipeline run at all."""

    TEXT = "text"
    TOKENS = "tokens"
    FEATURES = "features"


class RowKind(StrEnum):
    """What rows of features are kept in."""

    SPARSE = "sparse"
    DENSE = "dense"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What every plugin of a pipeline shares.

    Attributes:
        locale: BCP 47 language of the documents, such as ``en`` or ``pt-BR``.
        seed: Seed of everything random.
        multi_label: Whether a document can have any number of classes, none included.
        model_directory: The only place pretrained models may be read from by path, with symbolic
            links resolved; relative paths start there. Set it where parameters come from messages.
            ``None`` leaves paths free and relative to the working directory.
        allow_downloads: Whether a pretrained model that is not on this machine may be fetched.
        num_processes: Processes that training may use; see :mod:`lexiclass.processes`. The model
            does not depend on it.
    """

    locale: str = "en"
    seed: int = 42
    multi_label: bool = False
    model_directory: Path | None = None
    allow_downloads: bool = False
    num_processes: int = 1


class Plugin(ABC):
    """What all plugins share: a place in a pipeline and a life on disk."""

    place: ClassVar[PluginType]

    def versions(self) -> Mapping[str, str]:
        """Name the libraries whose major version changes this plugin's output.

        They are stored with a model, which then refuses to load under another major version.
        """
        return {}

    def save(self, directory: Path) -> None:  # noqa: B027 - a plugin may have no state
        """Write everything learned into ``directory``, which exists and is empty.

        The same state must give the same bytes. Parameters need not be written.
        """

    def load(self, directory: Path) -> None:  # noqa: B027 - a plugin may have no state
        """Take back what :meth:`save` wrote; called on a newly made instance.

        Checksums were verified before, so this checks shapes and ranges, not bytes.

        Raises:
            ModelCorrupt: If the files do not fit together.
        """


class Tokenizer(Plugin):
    """Splits text into tokens.

    Attributes:
        learns: Whether :meth:`fit` must be called before anything is tokenized. The tokens then
            depend on the training texts, so there is no index of them to share between models.
    """

    place = PluginType.TOKENIZER
    learns: ClassVar[bool] = False

    def fit(self, texts: Iterable[str]) -> None:
        """Learn how to split from the training texts, read once, in order.

        Raises:
            EmptyVocabulary: If there is nothing in them to learn from.
        """

    def identity(self) -> Mapping[str, str]:
        """Name what decides the tokens beside name, locale and parameters.

        An index is made anew when this changes: :meth:`versions`, and a digest of each file that
        a parameter only points to.
        """
        return self.versions()

    @abstractmethod
    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return one list of tokens per text."""

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of one text."""
        return self.tokenize_batch([text])[0]

    def encode(self, texts: Iterable[str], vocabulary: Vocabulary | None = None) -> TokenMatrix:
        """Tokenize a stream of texts into integers.

        Args:
            texts: Read once, in order.
            vocabulary: Numbers to go on from; it grows.
        """
        return TokenMatrix.from_lists(self.tokenize_batch(list(texts)), vocabulary)


class FeatureExtractor(Plugin):
    """Turns documents into rows of numbers.

    Documents arrive as a :class:`~lexiclass.tokens.TokenMatrix` where the plugin's input kind is
    ``tokens``, and as a sequence of strings where it is ``text``.

    Attributes:
        num_classes: How many classes the training documents have; a pipeline says so before
            :meth:`fit_transform`.
    """

    place = PluginType.FEATURE_EXTRACTOR
    num_classes: int = 1

    @abstractmethod
    def fit_transform(self, documents: Any) -> Rows:
        """Learn from the training documents and return their (n, num_features) float32 rows.

        Raises:
            EmptyVocabulary: If no feature is left.
        """

    @abstractmethod
    def transform(self, documents: Any) -> Rows:
        """Return (n, num_features) float32 rows; the same for a training document as in fit."""

    @abstractmethod
    def num_features(self) -> int:
        """Return the number of columns."""

    def relearned(self, rows: Rows, kept: NDArray[np.bool_]) -> Relearn:
        """Tell how rows would be had only some of the training documents been learned from.

        Args:
            rows: (n, num_features) what :meth:`fit_transform` returned.
            kept: (n,) whether a training document is learned from.

        Returns:
            What turns any rows of this extractor into that; by default they stay as they are.
        """
        del rows, kept
        return lambda rows: rows

    def known_words(self, documents: Any) -> NDArray[np.int64] | None:
        """Return (n,) how many words of each document it knows; ``None`` where it can't tell."""
        del documents
        return None

    def feature_names(self, columns: NDArray[np.integer] | None = None) -> Sequence[str] | None:
        """Return what columns count, ``None`` where they have no name.

        Args:
            columns: Whose names, in ascending order; of all columns if not given.
        """
        del columns
        return None


class EmbeddingExtractor(FeatureExtractor):
    """A feature extractor that learns nothing: a pretrained model turns each text into a row.

    The row of a text depends on nothing else, so it can be kept for every model; see
    :mod:`lexiclass.index.embeddings`. Its input kind is ``text`` and it gives dense rows.
    """

    @abstractmethod
    def prepare(self) -> None:
        """Find what it computes with; called on a newly made instance, in place of :meth:`load`.

        Raises:
            InvalidParameters: If a parameter leads to nothing that can be used.
            PluginUnavailable: If it is not on this machine.
        """

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Name what decides a row beside :meth:`versions`, as JSON values.

        Two instances with the same give the same rows, to rounding.
        """

    @abstractmethod
    def transform(self, documents: Iterable[str]) -> NDArray[np.float32]:
        """Return (n, num_features) rows of texts."""

    @abstractmethod
    def take_rows(self, rows: NDArray[np.float32]) -> None:
        """Take the (n, num_features) rows of the training documents as computed before.

        Called after :meth:`prepare`, in place of :meth:`fit_transform`.
        """


class Classifier(Plugin):
    """Learns classes from features.

    One that can give a document several classes says so in its
    :class:`~lexiclass.plugins.info.PluginInfo`. It is then made with ``context.multi_label`` where
    that is asked for, and trained on sets of labels.

    Attributes:
        classes: The class names, sorted; the column order of every score matrix.
        num_inputs: Set before :meth:`load`: the number of columns of the rows it will be given.
            ``None`` where that is not known, or it reads texts.
        num_calibration_documents: How many documents confidences are fitted on, none of which the
            scores of it were trained on; near doubles are one, and those without a known word none.
            ``None`` where the classifier does not say.
        held_out: After :meth:`fit`: what these documents look like to it; ``None`` likewise.
    """

    place = PluginType.CLASSIFIER
    classes: tuple[str, ...] = ()
    num_inputs: int | None = None
    num_calibration_documents: int | None = None
    held_out: HeldOut | None = None

    def fit(
        self,
        training: TrainingRows,
        labels: Labels,
        *,
        progress: PluginProgress | None = None,
    ) -> None:
        """Learn as :meth:`train` does, told more of the documents; a pipeline calls this.

        One that holds documents out of a training of its own should look at ``training`` for what
        these rows would have been without them.
        """
        self.train(training.rows, labels, progress=progress)

    @abstractmethod
    def train(
        self,
        features: Any,
        labels: Labels,
        *,
        progress: PluginProgress | None = None,
    ) -> None:
        """Learn from (n, num_features) rows and their n labels (at least 2 distinct ones)."""

    @abstractmethod
    def predict_proba(self, features: Any) -> NDArray[np.float64]:
        """Return (n, num_classes) calibrated probabilities.

        Every row sums to 1, or with ``multi_label`` each number is for its class alone.
        """

    def known_words(self, features: Any) -> NDArray[np.int64] | None:
        """Return (n,) how many words (or tokens) of each text it knows, where it reads texts.

        ``None`` where it can't tell, or is given rows that the feature extractor tells it of.
        """
        del features
        return None

    def contrast(
        self, features: Any, given: NDArray[np.integer], better: NDArray[np.integer]
    ) -> Any | None:
        """Say what each feature of a row adds to its score of one class over another.

        Args:
            features: (n, num_features) rows, sparse.
            given: (n,) column of the one class.
            better: (n,) column of the other.

        Returns:
            (n, num_features) sparse rows, positive what speaks for ``better``; ``None`` where
            scores are no sums over features, or rows are dense.
        """
        del features, given, better
        return None

    def predict(self, features: Any) -> tuple[list[str], NDArray[np.float64]]:
        """Return the most probable label of every row, and all probabilities."""
        probabilities = self.predict_proba(features)
        best = probabilities.argmax(axis=1).tolist() if len(probabilities) else []
        return list(map(self.classes.__getitem__, best)), probabilities
