"""Access: who is at the dashboard, and what that person may do."""
