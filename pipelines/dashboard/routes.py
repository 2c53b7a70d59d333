"""Every question that a page may ask, by panel."""

from starlette.routing import Route

from pipelines.dashboard import (
    caption_changes,
    caption_review,
    clip_page,
    comparison,
    concept_map,
    drift,
    duplicates,
    examples,
    failed_rows,
    failures,
    measures,
    media,
    overview,
    redecide,
    shard_files,
    throughput,
    training_runs,
    transitions,
)

PANELS = (
    caption_changes,
    caption_review,
    clip_page,
    comparison,
    concept_map,
    drift,
    duplicates,
    examples,
    failed_rows,
    failures,
    measures,
    media,
    overview,
    redecide,
    shard_files,
    throughput,
    training_runs,
    transitions,
)

ROUTES: list[Route] = [route for panel in PANELS for route in panel.ROUTES]
