import torch

from tests.training.autoencoder.test_tae import LOCAL, model_of, video_of_shape
from training.autoencoder.tiling import decode_tiled, encode_tiled

REACH = 8
"""Latent frames beyond which neighbours are not felt, with a network this small: none are, in fact,
beyond half as many."""


def test_tiled_latents_are_the_untiled_away_from_seams():
    model = model_of(LOCAL, disturbed=True)
    video = video_of_shape(1, 3, 512, 8, 8)
    whole = model.encode(video).mean
    tiled = encode_tiled(lambda one: model.encode(one).mean, video, 256)
    assert tiled.shape == whole.shape
    same = (tiled - whole).abs().amax(dim=(0, 1, 3, 4)) < 1e-5
    seam = 256 // 8
    assert same[: seam - REACH].all()
    assert same[seam + REACH :].all()
    assert not same[seam - 1 : seam + 1].any()


def test_tiled_videos_are_the_untiled_away_from_seams():
    model = model_of(LOCAL, disturbed=True)
    latents = video_of_shape(1, 4, 64, 1, 1)
    whole = model.decode(latents, 512)
    tiled = decode_tiled(model.decode, latents, 512, frames=264, overlap=16)
    assert tiled.shape == whole.shape
    same = (tiled - whole).abs().amax(dim=(0, 1, 3, 4)) < 1e-5
    begins, ends = 248, 264
    assert same[: begins - 8 * REACH].all()
    assert same[ends + 8 * REACH :][: 496 - ends - 16 * REACH].all()
    assert not same[begins + 1 : ends].all()


def decoder_of_constants(piece, num_frames):
    """Each piece is of one brightness, that of its first latent."""
    return piece[:, :1, :1].expand(-1, 3, num_frames, -1, -1)


def test_seams_go_over_linearly_from_one_piece_to_the_next():
    latents = torch.arange(6.0).view(1, 1, 6, 1, 1)
    video = decode_tiled(decoder_of_constants, latents, 48, frames=32, overlap=16)
    assert video.shape == (1, 3, 48, 1, 1)
    # Pieces begin at latent frames 0 and 2, so their brightness is 0 and 2.
    expected = torch.cat([torch.zeros(16), 2 * torch.arange(16) / 16, torch.full((16,), 2.0)])
    torch.testing.assert_close(video[0, 0, :, 0, 0], expected)


def test_there_is_no_jump_at_a_seam_larger_than_the_step_of_the_blend():
    latents = torch.linspace(0, 1, 30).view(1, 1, 30, 1, 1)
    video = decode_tiled(decoder_of_constants, latents, 240, frames=32, overlap=16)
    assert video[0, 0, :, 0, 0].diff().abs().max() <= 2 / 29 / 16 + 1e-6


def test_lengths_that_fill_no_piece_come_out_whole():
    for num_frames in (1, 15, 31, 32, 33, 40, 47, 48, 49, 63, 100):
        latents = torch.ones(1, 1, -(-num_frames // 8), 1, 1)
        for overlap in (0, 8, 16, 24):
            video = decode_tiled(decoder_of_constants, latents, num_frames, 32, overlap)
            assert video.shape[2] == num_frames
            torch.testing.assert_close(video, torch.ones_like(video))


def test_without_overlap_pieces_stand_side_by_side():
    latents = torch.arange(8.0).view(1, 1, 8, 1, 1)
    video = decode_tiled(decoder_of_constants, latents, 64, frames=32, overlap=0)
    assert video[0, 0, :, 0, 0].tolist() == [0.0] * 32 + [4.0] * 32
