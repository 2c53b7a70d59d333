"""Floor under the quality index; see `benchmarks.accuracy.quality`."""

from pathlib import Path

from benchmarks.accuracy.quality import FAULTS, figures_of
from curation.models.quality import Brisque
from tests.curation.models.test_quality import photograph


def test_strong_faults_lower_the_index_of_a_made_picture(model_weights: Path) -> None:
    model = Brisque(model_weights)
    model.setup()
    figures = figures_of(model, [photograph()])
    for fault in FAULTS:
        assert figures[f"{fault}_strong_below_share"] == 1, fault
