"""The models between prompts, pixels and the transformer, for one process."""

from pathlib import Path

import torch

from training.autoencoder.coder import autoencoder
from training.settings import TrainingRecipe
from training.text.encoders import text_encoders


class Encoders:
    """The autoencoder and the text encoders of a recipe; their weights are read when needed."""

    def __init__(self, recipe: TrainingRecipe, weights: Path) -> None:
        """Names them.

        Args:
            recipe: which, and on which device.
            weights: the folder of the packaged models' files.

        Raises:
            ValueError: the files of a model are missing.
        """
        self.autoencoder = autoencoder(recipe.autoencoder)
        self.texts = text_encoders(recipe.text, weights)
        self.specs = tuple(one.spec for one in self.texts)
        self.versions = {"autoencoder": self.autoencoder.version}
        """By the key of the recipe that names the model."""
        self.versions |= {f"text.{one.spec.name}": one.version for one in self.texts}
        self._machine = recipe.machine
        self._are_loaded = False

    def load(self) -> None:
        """Loads all of them, the first time; the transformer goes on with all its threads.

        Raises:
            ValueError: files or a package are missing.
        """
        if self._are_loaded:
            return
        # Encoders are made for workers of one thread each, and bid PyTorch be one.
        threads = torch.get_num_threads()
        self.autoencoder.load(self._machine.device, self._machine.precision)
        for encoder in self.texts:
            encoder.load(self._machine.device)
        torch.set_num_threads(threads)
        self._are_loaded = True
