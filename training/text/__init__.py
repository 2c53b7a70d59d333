"""Prompts to embeddings, and embeddings to what the transformer attends to."""
