"""The methods: pure functions from a layer's activations and gradients to a map."""
