"""Reads what ``torch.save`` wrote, tensors and plain facts, and runs nothing of it."""
