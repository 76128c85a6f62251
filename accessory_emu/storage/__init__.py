"""Where durable rows are kept."""
