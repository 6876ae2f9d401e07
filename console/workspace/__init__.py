"""A workspace, the folder of definitions that people edit: read with positions, checked, compared, applied."""
