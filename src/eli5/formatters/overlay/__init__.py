"""What pictures with a heatmap over them share."""
