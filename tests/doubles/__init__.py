"""Doubles of what workers have from outside, truthful about failures; one contract suite holds each to the real one."""
