"""Captioners that see: vision-language models, in the worker or behind a server."""
