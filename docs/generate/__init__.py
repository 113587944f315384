"""The pages and drawings that are made from the design's own declarations and behaviour."""
