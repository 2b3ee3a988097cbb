"""What a run writes: its folder, the parts, their rows and sums."""
