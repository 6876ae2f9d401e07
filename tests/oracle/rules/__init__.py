"""What rules lead to, computed the slow and obvious way from docs/rules.md: lists that are filtered, and asked again.

``force`` says which rules apply from where on, ``tree`` what a condition says, ``ask`` whether it holds of some hits;
``entity`` folds the records of one user, ``partition`` those of one partition with its ticks.
"""
