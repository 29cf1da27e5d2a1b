"""What scripts/bench and scripts/charts are made of.

arguments    what scripts/bench can be told
names        the text forms of cases and benchmarks
comparison   ratios with intervals, who wins
results      the raw file: written after each cell, read into tables
environment  what a measurement ran on
programs     the programs that the build makes, and what they print
crosscheck   every algorithm against SciPy, before anything is timed
measure      cells, their order, their share of the time, progress
scipy_times  SciPy's own times, as context
chart_style  how pictures look
charts       one function a picture
report       the closing tables
bench, draw  what the commands run
"""
