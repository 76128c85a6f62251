"""The specification as data: clauses, reasons and vectors."""
