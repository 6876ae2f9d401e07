"""The history: folds topics into the relational store, so that people and systems can ask what arrived and what was
decided."""
