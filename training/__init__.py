"""The text-to-video model and its training, on the shards that curation wrote."""
