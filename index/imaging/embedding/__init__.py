"""Vectors of pictures by a learned model: an ONNX file, its input, inference, and search for the nearest vectors."""
