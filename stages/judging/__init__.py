"""Figures from what was found and what is true: by COCOeval and TrackEval; and their files."""
