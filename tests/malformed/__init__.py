"""Damaged, wrong and unsupported models: each must end in one line that names the file, the node and the reason.

Never in a traceback, a hang or a wrong result. `fuzz` makes more of them by chance.
"""
