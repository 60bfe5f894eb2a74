"""What two or more features use: components, jobs, store, filters in the URL."""
