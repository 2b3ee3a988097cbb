"""One format per file: image, html, text, as_dict. They read an Explanation and nothing else."""
