"""Measurements: the train step, a device, PyTorch beside them."""
