"""Tasks: their rows, and every change of them, whoever makes it.

=================  ==================================================================
``states``         what a row says: open, idle, running, waiting for chunks
``transitions``    each change of a status, with the columns that follow from it
``submission``     a request that becomes a pending row; ``resubmission``: once more
``starting``       a row of which an attempt begins, under a new lease
``leases``         who holds a task, renewed and asked for while the work goes on
``chunks``         a task that is spread over others, and how far they are
``admission``      whether a task may start: paused queues, limits of a project; ``draining``
``cancelling``     cancelling a task, its chunks, all tasks of a project
``idle``           tasks that nobody runs, as the reconciler settles them
``reading``        one task, a page of them, the place in a queue
``history``        what happened to a task
``errors``         what of this can be refused
=================  ==================================================================

A client and a worker come here for the same change, so that a row looks the same afterwards.
"""
