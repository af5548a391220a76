"""What replay is made of: recorded lines, recorded pictures, and when each frame's turn is."""
