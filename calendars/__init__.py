"""Trading calendars as seeds: regular weeks and the days that differ, by `make calendars`."""
