"""The history: folds outputs into the relational store, so that people and systems can ask what was decided."""
