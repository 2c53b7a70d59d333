"""From a source file to a selection: probe, decode, measure, decide, cut; without Ray or torch."""
