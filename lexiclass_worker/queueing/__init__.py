"""Dramatiq's queues in Redis: broker, consumer, the order of messages, what may be taken now.

Dramatiq itself is imported by ``broker`` and ``consumer`` alone, so that commands and services can
read queues without it.
"""
