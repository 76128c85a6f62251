"""The composition root: the one place where clock, dice, store and transport are made."""
