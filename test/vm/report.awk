# SPDX-License-Identifier: GPL-2.0-only
# Reads what a guest reports (see init) and prints a line per suite, then what failed in it.
# Variables: label  name of the kernel
#            out    folder for SUITE.log, the list of suites seen ("seen"), their counts ("counts")

function say(text)
{
	printf "%-9s %s\n", "[" label "]", text
	fflush()
}

function detail(text)
{
	if (ndetails++ < 30)
		details = details "    " text "\n"
}

function fail(text)
{
	failed++
	detail(text)
}

function end_suite(seconds,    line)
{
	print suite >> (out "/seen")
	print passed, failed, skipped >> (out "/counts")
	close(out "/seen")
	close(out "/counts")
	close(log_file)
	line = sprintf("%-24s %3d passed, %d failed", suite, passed, failed)
	if (skipped)
		line = line sprintf(", %d skipped", skipped)
	say(line (seconds == "" ? "" : sprintf("  (%d s)", seconds)))
	if (failed)
		printf "%s    see %s\n", details, log_file
	else if (reasons)
		printf "%s", reasons
	fflush()
	suite = ""
}

# The exit status has the last word where the lines of the suite say less than it does.
function judge(status)
{
	if (status == 77) {
		skipped++
		reasons = reasons "    skipped: " last "\n"
	} else if (status == 137)
		fail("killed: over its time limit of " limit " s, or out of memory")
	else if (status && !failed)
		fail("exit status " status)
	else if (!status && plan > passed + failed + skipped)
		fail("ended early: planned " plan ", ran " passed + failed + skipped)
	else if (!status && !(passed + failed + skipped))
		fail("no test ran")
}

$1 == "##begin" {
	suite = $2
	limit = $3
	passed = failed = skipped = plan = complaints = ndetails = nsaid = 0
	details = reasons = last = ""
	log_file = out "/" suite ".log"
	printf "" > log_file
	next
}

$1 == "##log" && suite != "" {
	if (!complaints++)
		fail("the kernel log has complaints:")
	sub(/^##log /, "")
	detail("  " $0)
	print "kernel: " $0 >> log_file
	next
}

$1 == "##end" {
	judge($3)
	end_suite($4)
	next
}

suite == "" { next }

{ print >> log_file }

/^1\.\.[0-9]+/ { plan += substr($1, 4); next }

# cmocka 1.1 writes "not ok" for what a test skipped, and the mark decides.
/^(not )?ok .*# *SKIP/ {
	skipped++
	sub(/^.*# *SKIP */, "")
	reasons = reasons "    skipped: " $0 "\n"
	next
}
/^ok / { passed++; nsaid = 0; next }
# What a test said before it failed tells why.
/^not ok / {
	fail($0)
	for (i = nsaid > 6 ? nsaid - 5 : 1; i <= nsaid; i++)
		detail("  " said[i])
	nsaid = 0
	next
}
/^#/ {
	if (failed)
		detail("  " $0)
	next
}
NF { last = said[++nsaid] = $0 }

END {
	if (suite != "") {
		fail("the guest died or hung in it")
		end_suite("")
	}
}
