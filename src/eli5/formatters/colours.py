"""The two colours that mean the same in pictures, texts, series, plots and terminals.

They are the ends of matplotlib's ``coolwarm``, which colour-blind people tell apart best. Texts
need them, too, so matplotlib is not asked here; a test compares them.
"""

FOR, AGAINST = "#b40426", "#3b4cc0"
