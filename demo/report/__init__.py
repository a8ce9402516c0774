"""The report: one HTML file that needs no network, and answers for any moment of a day."""

from demo.report.page import verdict, write

__all__ = ["verdict", "write"]
