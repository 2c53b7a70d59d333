"""The embedded captioner: what is measured of a clip, in words, and nothing else."""
