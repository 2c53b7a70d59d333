"""`moviola report`: one page that needs no server, beside the card and metadata of the shards."""
