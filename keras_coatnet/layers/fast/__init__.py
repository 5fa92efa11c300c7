"""What one backend computes faster in other operations than Keras' own, held to the plain layers by tests."""
