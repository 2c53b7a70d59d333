"""The command line, recipes, the engine, and what reads a workspace."""
