"""The dashboard: pages over a workspace, served to one person's browser."""
