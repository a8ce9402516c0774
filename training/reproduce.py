"""make reproduce: train a run's model again on the database in use, and say what differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from feast import FeatureStore

from feast_repo.receipts import AT, SYMBOL, TENANT
from training import compare, dataset, learners, provenance
from training.bundle import row_digest
from training.dataset import KNOWN_AT, LABEL, TrainingSet
from training.tracking import Kept


@dataclass(frozen=True)
class Reproduced:
    """What came of it. lines: for people; the three compare with what the run kept.

    is_same_file is None where the rows already differ, and nothing was trained on them.
    """

    is_same_digest: bool
    is_same_file: bool | None
    is_same_scores: bool | None
    lines: list[str]

    @property
    def is_same(self) -> bool:
        """The same digest, and the same model: its file, or at least each score to the bit."""
        return self.is_same_digest and bool(self.is_same_scores)


def read_again(store: FeatureStore, kept: Kept) -> tuple[TrainingSet, list[str]]:
    """A run's training set as the database gives it now, and what is not as it was.

    Errors: those of dataset.read().
    """
    pairs = kept.frame[[TENANT, SYMBOL, AT]]
    now = dataset.read(store, kept.declaration, pairs)
    if now.digest == kept.bundle.card["digest"]:
        return now, []
    names = [column.name for column in kept.bundle.columns]
    lines = compare.differences(kept.frame, now.frame, [*names, LABEL, KNOWN_AT])
    for name, was in kept.bundle.card["definitions"].items():
        made = now.definitions.get(name)
        if made != was:
            lines.append(f"{name} was made by the definition {was}, and {made} makes it now")
    return now, lines or [
        "each value is as the run kept it, and the digest on its card is another: the card, or "
        "the kept training set, was changed"
    ]


def reproduce(store: FeatureStore, kept: Kept) -> Reproduced:
    """Read and train again; compare digest, file and scores. Errors: those of reading and fit()."""
    card = kept.bundle.card
    now, lines = read_again(store, kept)
    said = [f"digest: {card['digest']} then, {now.digest} now"]
    lock = provenance.lock_sha256()
    if card["lock_sha256"] != lock:
        said.append(
            f"lock file: {card['lock_sha256'][:12]} then, {lock[:12]} now: other versions of the "
            "learner may give another model"
        )
    if lines:
        return Reproduced(False, None, None, [*said, *lines])
    fitted = learners.fit(kept.declaration.learner, now.columns, now.matrix, now.labels)
    is_same_file = fitted.content == kept.content
    said.append(
        f"model file: {card['sha256']} then, {fitted.sha256} now, "
        + ("the same bytes" if is_same_file else "other bytes")
    )
    scores = learners.bundle(fitted, now.columns).score(now.matrix)
    was = kept.bundle.score(now.matrix)
    same = scores.view(np.int64) == was.view(np.int64)
    said.append(f"scores: {int(same.sum()):,} of {len(same):,} are the same to the bit")
    if not same.all():
        place = int(np.argmin(same))
        said.append(
            f"row {place + 1}, whose features have the digest "
            f"{row_digest(now.matrix[place])[:12]}, scored {was[place]!r} and scores "
            f"{scores[place]!r}"
        )
    return Reproduced(True, is_same_file, bool(same.all()), said)
