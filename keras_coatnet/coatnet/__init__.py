"""CoAtNet: convolution and attention stacked (Dai, Liu, Le, Tan, arXiv 2106.04803)."""
