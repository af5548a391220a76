"""The pure tracker: motion in seconds, association of masks, the life of a track."""
