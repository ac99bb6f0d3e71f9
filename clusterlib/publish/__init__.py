"""What people see of a run: its pages, and the server that shows them (发布)."""
