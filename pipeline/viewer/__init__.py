"""``run_stream.py view``: a web page that is an ordinary subscriber, in a process of its own.

A publisher's records and pictures go through here to browser tabs as they came. Masks, boxes,
labels and trails are drawn in the browser, so that looking costs the pipeline one plain JPEG.
Needs neither torch nor av.
"""
