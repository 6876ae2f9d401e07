"""The local stack: a supervisor that runs broker, Valkey and every program as processes, and what talks to it.

It imports none of the programs it starts. ``client`` is for commands, ``__main__`` is the supervisor itself.
"""
