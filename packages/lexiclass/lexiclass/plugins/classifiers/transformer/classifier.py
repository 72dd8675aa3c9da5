"""Pretrained neural encoder of texts, fine-tuned, with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.calibration import Documents, Matrix
from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.folds import Keys
from lexiclass.labels import Labels
from lexiclass.near_duplicates import shares_of_groups, text_keys
from lexiclass.plugins.base import PluginContext, PluginProgress
from lexiclass.plugins.classifiers.calibrated import CalibratedClassifier
from lexiclass.plugins.classifiers.out_of_fold import CUTS, Scored, joined
from lexiclass.plugins.classifiers.parameters import TransformerParameters
from lexiclass.plugins.classifiers.transformer.fine_tuning import FineTuning, Texts, predict_scores
from lexiclass.plugins.classifiers.transformer.network import PATTERNS, Network
from lexiclass.plugins.classifiers.transformer.torch_session import Session
from lexiclass.plugins.pretrained.config import CONFIG
from lexiclass.plugins.pretrained.models import find_pretrained
from lexiclass.plugins.tokenizers.batches import well_formed
from lexiclass.stages import unheard
from lexiclass.targets import Targets


class TransformerClassifier(CalibratedClassifier):
    """Reads texts itself: no tokenizer, no feature extractor.

    A part of the documents is held out: it tells after which epoch to stop, and its scores fit the
    calibrator. Where no class has a document to spare, training runs to its end and the calibrator
    is where it starts: a softmax at temperature 1, or the sigmoid of the scores.

    Source: A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017; J. Devlin et al., NAACL
    2019, for fine-tuning; the mean of the outputs instead of the first one is that of N. Reimers,
    I. Gurevych, EMNLP 2019.
    """

    def __init__(self, parameters: TransformerParameters, context: PluginContext) -> None:
        super().__init__(multi_label=context.multi_label)
        self._parameters = parameters
        self._context = context
        self._network: Network | None = None
        self._session: Session | None = None

    def versions(self) -> Mapping[str, str]:
        """Name the libraries that predict."""
        return {name: version(name) for name in ("transformers", "torch")}

    def train(
        self, features: Sequence[str], labels: Labels, *, progress: PluginProgress | None = None
    ) -> None:
        """Fine-tune on texts and calibrate; a step of progress is one of the optimizer.

        Raises:
            InvalidParameters: If ``class_weight`` names an unknown class, or the path of the model
                leads to no encoder.
            NotEnoughDocuments: With fewer than 2 documents or classes.
            PluginUnavailable: If the model or the device is not on this machine.
        """
        parameters, seed = self._parameters, self._context.seed
        targets = Targets.encode(labels, multi_label=self._multi_label)
        weights = targets.weights(parameters.class_weight)
        session = Session.choose(parameters.device, parameters.precision, strict=True)
        directory = _checked(
            find_pretrained(parameters.model, CONFIG, self._context, patterns=PATTERNS),
            self._context,
        )
        features = list(features)
        with session.reproducible(seed):
            network = _pretrained(parameters.model, directory, len(targets.classes))
            texts = Texts(
                network.tokenize(well_formed(features), parameters.max_length),
                targets.members,
                np.ones(targets.members.shape)
                if weights is None
                else np.where(targets.members, weights[1], weights[0]),
            )
            keys = text_keys(features)
            # Dealt out by what the documents are: another seed need not move confidences.
            num_folds = round(1 / parameters.held_out)
            folds = targets.folds(num_folds, 0, keys)
            # The first may have none that can be spared.
            first = folds.min(where=folds >= 0, initial=num_folds)
            held_out = folds == first
            inside, outside = np.flatnonzero(~held_out), np.flatnonzero(held_out)
            shares = shares_of_groups(keys)[:, np.newaxis]
            once = replace(texts, weights=texts.weights * shares)
            watched = once.take(outside) if len(outside) else None
            tuning = FineTuning(
                network, parameters, session, seed=seed, multi_label=targets.multi_label
            )
            tuning.run(texts.take(inside), watched, progress or unheard)
            self.classes, self._network, self._session = targets.classes, network, session
            documents = self._score([features[row] for row in outside], targets, keys, outside)
        self._calibrate(documents, targets, parameters.class_weight, of_softmax=True)

    def _score(
        self, texts: Sequence[str], targets: Targets, keys: Keys, numbers: NDArray[np.intp]
    ) -> Documents:
        """Score what was held out, whole and cut short."""
        whole = Scored(*self._read(texts), numbers)
        cut = []
        for count in CUTS:
            shortened = [" ".join(text.split()[:count]) for text in texts]
            cut.append(Scored(*self._read(shortened), numbers))
        return joined(targets, keys, [whole], cut)

    def margins(self, features: Sequence[str]) -> NDArray[np.float64]:
        """Return (n, num_classes) scores of texts.

        Raises:
            InvalidParameters: Before training.
        """
        return self._read(features)[0]

    def predict_proba(self, features: Sequence[str]) -> NDArray[np.float64]:
        """Return (n, num_classes) calibrated probabilities."""
        return self._calibrator(*self._read(features))

    def known_words(self, features: Sequence[str]) -> NDArray[np.int64]:
        """Return (n,) how many tokens of each text the encoder reads and knows."""
        network, _ = self._trained()
        tokens = network.tokenize(well_formed(list(features)), self._parameters.max_length)
        return np.array(network.known_tokens(tokens), dtype=np.int64)

    def save(self, directory: Path) -> None:
        """Write classes, calibrator and the network."""
        network, _ = self._trained()
        self._save_calibrator(directory)
        network.save(directory)

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; see :meth:`lexiclass.plugins.base.Plugin.load`."""
        self._load_calibrator(directory)
        parameters = self._parameters
        session = Session.choose(parameters.device, parameters.precision, strict=False)
        with session.reproducible(self._context.seed):  # building draws numbers, all replaced
            self._network = Network.load(directory, len(self.classes))
        self._session = session

    def _read(self, texts: Sequence[str]) -> tuple[Matrix, Matrix]:
        """Return (n, k) scores of texts, and (n,) how many known tokens each rests on."""
        network, session = self._trained()
        tokens = network.tokenize(well_formed(list(texts)), self._parameters.max_length)
        scores = predict_scores(network, tokens, session, self._parameters.batch_size)
        return scores, np.array(network.known_tokens(tokens), dtype=np.float64)

    def _trained(self) -> tuple[Network, Session]:
        if self._network is None or self._session is None:
            raise InvalidParameters("The classifier 'transformer' is not trained; train it first.")
        return self._network, self._session


def _checked(config: Path, context: PluginContext) -> Path:
    """Return the directory of a model's file, without links out of the model directory."""
    root = None if context.model_directory is None else context.model_directory.resolve()
    # A package or the hub's cache is elsewhere, and nobody's to put files in.
    if root is not None and config.resolve().is_relative_to(root):
        for path in config.parent.iterdir():
            if not path.resolve().is_relative_to(root):
                raise InvalidParameters(
                    f"{path.name!r} is a link out of the directory that pretrained models may be "
                    "loaded from; put the file itself there.",
                    details={"file": path.name},
                )
    return config.parent


def _pretrained(model: str, directory: Path, num_classes: int) -> Network:
    try:
        return Network.pretrained(directory, num_classes)
    except (OSError, ValueError, ModelCorrupt) as error:
        raise InvalidParameters(
            f"The encoder {model!r} can't be used: {error}. Give one of the usual encoders of "
            "texts, with tokenizer.json and weights as safetensors.",
            details={"model": model, "reason": str(error)},
        ) from error
