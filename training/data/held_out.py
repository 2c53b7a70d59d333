"""The samples that a stage is evaluated on: those of held-out videos, always the same."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from training.data.index import NO_CONCEPT, SampleIndex
from training.data.readers import Example, Reader, Unreadable
from training.evaluation import HeldOutBatch
from training.settings import DataSettings, EvaluationSettings
from training.text.conditioning import collate
from training.text.spec import TextSpec

logger = logging.getLogger(__name__)

UNKNOWN_SOURCE = "unknown"


def held_out_batches(
    reader: Reader,
    data: DataSettings,
    settings: EvaluationSettings,
    text: Sequence[TextSpec],
) -> Iterator[HeldOutBatch]:
    """Held-out samples in the order of the hashes of their ids, in batches of one bucket.

    Clips where the stage trains on clips, images where it trains on images; where it does both, a
    clip may be evaluated as a clip and by its middle frame, if the subset has no other images.
    Samples that cannot be read are left out, and named in the log.

    Args:
        reader: of the samples, with their index.
        data: what the stage is trained on.
        settings: how many samples, and how many at once.
        text: the text encoders of the model.
    """
    index = reader.index
    groups: dict[tuple[int, bool], list[int]] = {}
    for row, is_image in chosen(index, data, settings.max_samples):
        number = (index.image_bucket if is_image else index.bucket)[row]
        groups.setdefault((int(number), is_image), []).append(row)
    for (number, is_image), rows in sorted(groups.items()):
        for start in range(0, len(rows), settings.batch_size):
            part = rows[start : start + settings.batch_size]
            examples = {}
            for row, one in zip(part, reader.read(part, is_image), strict=True):
                if isinstance(one, Unreadable):
                    logger.warning("held-out sample %s is left out: %s", one.id, one.reason)
                else:
                    examples[row] = one
            if examples:
                yield _batch(index, index.buckets[number].name, examples, text)


def chosen(index: SampleIndex, data: DataSettings, max_samples: int) -> list[tuple[int, bool]]:
    """The first rows by the hash of their ids, each with whether it is taken as an image."""
    rows = index.held_out_rows
    kinds = [(index.clips(rows), False)] if data.image_share < 1 else []
    kinds += [(index.images(rows), True)] if data.image_share > 0 else []
    found = np.concatenate([one for one, _ in kinds])
    as_image = np.concatenate([np.full(len(one), is_image) for one, is_image in kinds])
    order = np.lexsort((as_image, index.keys[found]))[:max_samples]
    return list(zip(found[order].tolist(), as_image[order].tolist(), strict=True))


def _batch(
    index: SampleIndex, bucket: str, examples: dict[int, Example], text: Sequence[TextSpec]
) -> HeldOutBatch:
    concepts = (int(index.concepts[row]) for row in examples)
    said = [one.text for one in examples.values()]
    return HeldOutBatch(
        ids=tuple(index.ids[row].as_py() for row in examples),
        bucket=bucket,
        latents=torch.stack([one.latent for one in examples.values()]),
        text=collate(said, text, [False] * len(said)),
        concepts=tuple(None if one == NO_CONCEPT else one for one in concepts),
        sources=tuple(index.sources[row].as_py() or UNKNOWN_SOURCE for row in examples),
    )
