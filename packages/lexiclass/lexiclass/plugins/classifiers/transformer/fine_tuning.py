"""Training a network on tokenized texts, and reading its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters
from lexiclass.plugins.classifiers.parameters import TransformerParameters
from lexiclass.plugins.classifiers.transformer.network import Network
from lexiclass.plugins.classifiers.transformer.torch_session import Session

# The layer on top starts from nothing and may take larger steps than the trained encoder.
_HEAD_FACTOR = 10.0

# A batch has texts of like length, picked among so many batches' worth: little padding, and random.
_POOL = 32

_LARGEST_GRADIENT = 1.0

# Without gradients there is room for more texts at a time.
_PREDICTION_FACTOR = 4


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Tokenized texts and what is to be learned of them.

    Attributes:
        tokens: Token numbers of n texts.
        members: (n, k) whether a text has a class.
        weights: (n, k) what it weighs that it has the class, or has not.
    """

    tokens: Sequence[Sequence[int]]
    members: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> Texts:
        """Return some of them."""
        chosen = [self.tokens[row] for row in rows.tolist()]
        return Texts(chosen, self.members[rows], self.weights[rows])


class FineTuning:
    """AdamW with linear warm-up and decay, and early stopping on held-out texts.

    Source: J. Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", NAACL 2019, appendix A.3; I. Loshchilov, F. Hutter, "Decoupled Weight Decay
    Regularization", ICLR 2019.
    """

    def __init__(
        self,
        network: Network,
        parameters: TransformerParameters,
        session: Session,
        *,
        seed: int,
        multi_label: bool,
    ) -> None:
        self._network = network
        self._parameters = parameters
        self._session = session
        self._random = np.random.default_rng(seed)
        self._multi_label = multi_label

    def run(self, texts: Texts, watched: Texts | None, tell: Callable[[int, int], None]) -> None:
        """Train, and leave the network as it was after the epoch that did best.

        Training stops when the watched texts are predicted no better. It tells how many steps are
        done, and can be.

        Raises:
            InvalidParameters: If training diverges.
        """
        parameters, modules = self._parameters, self._network.modules
        modules.to(self._session.device)
        optimizer = self._optimizer()
        scaler = torch.amp.GradScaler(
            self._session.device, enabled=self._session.precision == "float16"
        )
        batches_an_epoch = -(-len(texts.tokens) // parameters.batch_size)
        steps_an_epoch = -(-batches_an_epoch // parameters.gradient_accumulation)
        steps = steps_an_epoch * parameters.epochs
        done, best, best_loss, best_epoch = 0, None, np.inf, 0
        for epoch in range(1, parameters.epochs + 1):
            modules.train()
            for batches in self._steps(texts):
                self._set_rate(optimizer, done, steps)
                self._step(texts, batches, optimizer, scaler)
                done += 1
                tell(done, steps)
            if watched is None:
                continue
            loss = self._watched_loss(watched)
            if loss < best_loss:
                best_loss, best_epoch = loss, epoch
                best = {name: t.detach().clone() for name, t in modules.state_dict().items()}
            elif epoch - best_epoch >= parameters.early_stopping_epochs:
                break
        if best is not None:
            modules.load_state_dict(best)
        if not all(bool(weight.isfinite().all()) for weight in modules.parameters()):
            raise InvalidParameters(
                "Training diverged: the network's weights are no numbers any more. Lower "
                f"learning_rate, which is {parameters.learning_rate:g}."
            )

    def _steps(self, texts: Texts) -> Iterator[list[NDArray[np.intp]]]:
        """Deal the texts out for one epoch: batches of like length, some of them a step."""
        size = self._parameters.batch_size
        order = self._random.permutation(len(texts.tokens))
        lengths = np.array([len(row) for row in texts.tokens])
        batches = []
        for start in range(0, len(order), size * _POOL):
            pool = order[start : start + size * _POOL]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            batches += [pool[at : at + size] for at in range(0, len(pool), size)]
        dealt = [batches[place] for place in self._random.permutation(len(batches))]
        together = self._parameters.gradient_accumulation
        for at in range(0, len(dealt), together):
            yield dealt[at : at + together]

    def _step(
        self, texts: Texts, batches: list[NDArray[np.intp]], optimizer: Any, scaler: Any
    ) -> None:
        modules = self._network.modules
        total = sum(map(len, batches))
        optimizer.zero_grad(set_to_none=True)
        for rows in batches:
            batch = texts.take(rows)
            with self._session.autocast():
                scores = self._network.scores(
                    batch.tokens, self._session.device, self._parameters.dropout
                )
            scaler.scale(self._losses(scores.float(), batch).sum() / total).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(modules.parameters(), _LARGEST_GRADIENT)
        scaler.step(optimizer)
        scaler.update()

    def _losses(self, scores: Any, texts: Texts) -> Any:
        """Return the (n,) weighted losses of texts."""
        members = torch.from_numpy(texts.members).to(scores.device, scores.dtype)
        weights = torch.from_numpy(texts.weights).to(scores.device, scores.dtype)
        if self._multi_label:
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                scores, members, weight=weights, reduction="none"
            )
            return losses.mean(dim=1)
        return -(torch.log_softmax(scores, dim=1) * members * weights).sum(dim=1)

    def _watched_loss(self, watched: Texts) -> float:
        scores = predict_scores(
            self._network, watched.tokens, self._session, self._parameters.batch_size
        )
        return float(self._losses(torch.from_numpy(scores), watched).mean())

    def _optimizer(self) -> Any:
        parameters, modules = self._parameters, self._network.modules
        if parameters.freeze_embeddings:
            modules["encoder"].get_input_embeddings().requires_grad_(requires_grad=False)
        groups = []
        for part, factor in (("encoder", 1.0), ("head", _HEAD_FACTOR)):
            trained = [p for p in modules[part].parameters() if p.requires_grad]
            # Biases and the scales of normalization are not pulled to zero.
            for chosen, decay in (
                ([p for p in trained if p.ndim > 1], parameters.weight_decay),
                ([p for p in trained if p.ndim <= 1], 0.0),
            ):
                rate = parameters.learning_rate * factor
                groups.append(
                    {"params": chosen, "weight_decay": decay, "lr": rate, "full_rate": rate}
                )
        return torch.optim.AdamW(groups)

    def _set_rate(self, optimizer: Any, done: int, steps: int) -> None:
        warm = round(self._parameters.warmup * steps)
        share = (done + 1) / (warm + 1) if done < warm else (steps - done) / (steps - warm)
        for group in optimizer.param_groups:
            group["lr"] = group["full_rate"] * share


def predict_scores(
    network: Network, tokens: Sequence[Sequence[int]], session: Session, batch_size: int
) -> NDArray[np.float64]:
    """Return (n, k) scores, computed in batches of like length."""
    scores = np.empty((len(tokens), network.modules["head"].out_features))
    order = np.argsort([-len(row) for row in tokens], kind="stable")
    size = batch_size * _PREDICTION_FACTOR
    network.modules.to(session.device).eval()
    with torch.inference_mode(), session.autocast():
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            batch = network.scores([tokens[row] for row in rows.tolist()], session.device)
            scores[rows] = batch.float().cpu().numpy()
    return scores
