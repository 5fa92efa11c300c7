"""CoaT: co-scale conv-attentional image transformers, arXiv 2104.06399."""
