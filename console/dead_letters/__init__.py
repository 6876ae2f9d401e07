"""Dead letters: found, looked at, mended, replayed or set aside, and watched.

``selection`` says which, ``reading`` finds them, ``replay`` and ``purge`` handle them; what was handled is in the
compacted topic ``dead-letter-state`` and nowhere else.
"""
