"""Models and docs that the package makes itself, whose true attribution is known.

Where the truth is known by construction, a map is right or wrong, and not only like what a person
would expect. `eli5.benchmark` explains them with each method, and compares the maps with the truth.
"""
