"""Reports: comparisons of runs, their web page, the doctor, checks of data."""
