"""What will hurt a deployment, found before it does: every check looks, judges what it found, and says what to do.

Nothing is changed, no program is asked to do anything, and each question is bounded in time.
"""
