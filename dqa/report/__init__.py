"""The report: one or several verdicts as a single HTML file that needs no network and runs no script."""
