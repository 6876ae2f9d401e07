"""Events as people look at them: what was sent beside what was stored, live and past, counted and in funnels."""
