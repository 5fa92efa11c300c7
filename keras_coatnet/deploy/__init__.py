"""From a trained model to a file that ships: fold the norms away, write it for a runtime, check it there."""
