"""Files that stay readable when the process is killed: fragmented MP4 and JSON lines."""
