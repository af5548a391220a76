"""The command ``evaluate``: masks, tracks, and the whole program, against the truth."""
