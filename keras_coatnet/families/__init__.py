"""What all families are built with: options, the model class, inputs, checks, costs, entry points."""
