"""The only place that touches containers and codecs: probe, decode, cut, and their sandbox."""
