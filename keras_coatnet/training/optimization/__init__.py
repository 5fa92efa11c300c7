"""What `model.compile` gets: loss, metrics, optimizer, schedule, and which variables decay, learn slower or not."""
