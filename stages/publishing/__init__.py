"""What publish is made of: its two sockets, and what it counts of each stream."""
