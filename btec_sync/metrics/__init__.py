"""What Prometheus is told: totals from the database, durations from every process of this machine."""
