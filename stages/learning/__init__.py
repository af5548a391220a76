"""What a network learns from, and how it learns.

- labelled pictures: ``coco`` reads them, ``inspection`` finds what is wrong, ``datasets`` chooses
  and holds out, ``order`` says which comes when, ``views`` varies them, ``pictures`` makes batches
- invented pictures: ``scenes`` of ``moving`` ``things`` on a ``backdrop``; ``invented`` has no end
- one for both: ``sample``, ``cutouts`` that ``paste`` puts into others, ``targets``, ``losses``,
  ``batches`` made ahead
- ``training``: start, loop, measuring, files; ``bundled`` with ``mixture`` and ``augment`` is the
  recipe of the bundled weights, which begin with those of ``nanodet``; ``evaluate`` counts how good
  a network is
"""
