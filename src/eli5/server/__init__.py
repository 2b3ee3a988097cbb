"""The local web app, ``eli5 serve``: pages, a JSON interface, and what keeps strangers out.

A request passes the *guard* (who asks, for how much, for how long), becomes an `Asked`, waits in
one bounded *queue*, and is explained on one of few threads. What is sent stays in memory.
"""
