"""The files of an autoencoder of diffusers, in a folder or of a hub. This loads no PyTorch."""

from curation.models.hub import ModelFiles
from training.autoencoder.settings import AutoencoderSettings

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"


def diffusers_files(place: str, revision: str | None) -> tuple[ModelFiles, str]:
    """The files, and the folder in a repository that they lie in, such as `vae/`.

    Args:
        place: the folder of `config.json`; with a revision `organisation/repository`, or
            `organisation/repository/vae` where it lies in a folder of it.
        revision: the commit of the repository.
    """
    inner = ""
    if revision is not None:
        organisation, _, rest = place.partition("/")
        repository, _, inner = rest.partition("/")
        place, inner = f"{organisation}/{repository}", f"{inner}/" if inner else ""
    return ModelFiles(place, revision, (inner + CONFIG,), weights=inner + WEIGHTS), inner


def autoencoder_sources(settings: AutoencoderSettings) -> list[ModelFiles]:
    """The files that a recipe's autoencoder needs and nobody here trains."""
    if settings.kind != "diffusers":
        return []
    return [diffusers_files(settings.folder, settings.revision)[0]]
