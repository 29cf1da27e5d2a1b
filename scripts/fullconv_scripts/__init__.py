"""What scripts/bench and scripts/charts are made of.

arguments    what scripts/bench can be told
names        the text forms of cases and benchmarks
command_line how every script takes its arguments
comparison   ratios with intervals, who wins
results      the raw file: written after each cell, read into tables
records      records.csv: what follows from it, a line a contender and cell
environment  what a measurement ran on
programs     the programs that the build makes, and what they print
crosscheck   every algorithm against SciPy, before anything is timed
caveats      what may disturb a measurement
measure      jobs, their order, their share of the time, progress
chart_style  how pictures look
charts       one function a picture
report       the closing tables
page_data    what the page shows
layout       what another link order does to ratios
bench, draw, compare, audit, page
             what the commands run
"""
