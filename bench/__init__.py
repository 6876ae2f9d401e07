"""How fast it is: the real programs on a stack of their own, and the pure pieces alone. Nothing is asserted.

``python -m bench`` prints a table on stderr and one JSON object on stdout.
"""
