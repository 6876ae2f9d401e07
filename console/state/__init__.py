"""The state of the stages as an operator sees it: where every partition stands, adopting what a person has judged, and
folding states anew."""
