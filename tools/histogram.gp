# SPDX-License-Identifier: GPL-2.0-only
# Draws a latency histogram. Variables: data (lines of "microseconds count", comments with #), picture (a PNG file).
# The first comment of the data is the title.
set terminal pngcairo size 1000,600 font "Sans,12"
set output picture
title = system("sed -n 's/^# *//p; q' '".data."'")
set title title noenhanced
set xlabel "wakeup latency (microseconds)"
set ylabel "samples"
set logscale y
set yrange [0.5:*]
set xrange [0:*]
set grid ytics linecolor "#dddddd"
set border 3
set tics nomirror out
set style fill solid 0.8 noborder
# Some hundred bars, whatever the range.
stats data using 1 nooutput
bin = ceil((STATS_max + 1) / 120.0)
set boxwidth bin
plot data using (bin * (floor($1 / bin) + 0.5)):2 smooth frequency with boxes linecolor "#2060a0" notitle
