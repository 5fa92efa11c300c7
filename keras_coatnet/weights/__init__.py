"""Files in and out: formats, checkpoints, pretrained weights. Knows formats, never families."""
