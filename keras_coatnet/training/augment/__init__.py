"""What training does to pictures and batches, in PIL and NumPy; the same on every backend."""
