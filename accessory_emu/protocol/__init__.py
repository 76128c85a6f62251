"""The words and rules that both sides of every exchange share."""
