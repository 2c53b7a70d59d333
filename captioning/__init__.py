"""Captions for the kept clips: camera motion, prompts, captioners, caption checks."""
