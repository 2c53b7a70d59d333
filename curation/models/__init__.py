"""Learned measures of the stored frames: one small class per model."""
