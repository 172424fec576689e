"""What people look at: comparisons, the web page, the doctor, checks of data."""
