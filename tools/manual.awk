# SPDX-License-Identifier: GPL-2.0-only
# Manual pages of the library, from the comments of its headers: a page evl-NAME(3) for each header, and a link
# to it for each call. What programmers read is what the headers say, so neither gets out of step.
# usage: awk -v out=FOLDER -v date=DATE -f manual.awk HEADER...
#
# What the headers keep to: the first comment tells what the page is about. A comment at the beginning of a line
# is for the calls, macros and structs which follow, up to the next one. It begins with "TYPE NAME(ARGUMENTS)" for
# a macro which stands for a function. Sentences which tell the stage begin with "In-band", "Out-of-band", "Any
# stage" or "Any thread", those which tell the result with "Returns", "0", "True" or an error code; who has none
# of its own says "Same", "as above", or "as NAME() does". What the first comment says of that is for all calls.

BEGIN {
	if (out == "" || date == "") {
		fail("usage: awk -v out=FOLDER -v date=DATE -f manual.awk HEADER...")
		exit
	}
}

FNR == 1 { begin_page() }

# --- Reading -------------------------------------------------------------------------------------

comment { read_comment($0, 0); next }
/^\/\*/ && !/SPDX/ { comment = 1; lines = 0; read_comment($0, 1); next }

proto != "" { proto = proto " " $0; end_call(); next }
/^(__evl_api|__EVL_HL_DECLARED) / || /^__evl_inline [^(]*[ *][a-z][a-z_]*\(/ { begin_call(); next }

struct_name != "" { body = body "\n" $0; if (/^}/) end_struct(); next }
/^struct [a-z][a-z_]* [{]$/ { begin_struct(); next }

/^#[ \t]*define[ \t]+[A-Za-z]/ { macro(); next }
/^#include <evl\/[a-z_]*\.h>$/ { included[nr_pages] = included[nr_pages] " " $2 }
# What is not for programs takes its comment along.
/^(__evl|extern|static|typedef|#[ \t]*define)/ { text_lines = 0; have_text = 0 }

function begin_page(  name) {
	name = FILENAME
	sub(/^.*\/evl\//, "evl/", name)
	nr_pages++
	header[nr_pages] = name
	sub(/^.*\//, "", name)
	sub(/(_ptr)?\.h$/, "", name)
	page = "evl-" name
	pages[nr_pages] = page
	groups[nr_pages] = 0
	comment = have_text = have_head = 0
	proto = struct_name = ""
}

function read_comment(line, first,  last) {
	last = sub(/[ \t]*\*\/$/, "", line)
	if (first)
		sub(/^\/\*[ \t]?/, "", line)
	else
		sub(/^ \* ?/, "", line)
	if (line != "" || (!first && !last))
		texts[++lines] = line
	if (!last)
		return
	comment = 0
	text_lines = lines
	have_text = 1
	in_group = 0
	if (!have_head) {
		have_head = 1
		have_text = 0
		keep_text("head", nr_pages)
	}
}

function keep_text(kind, key,  n) {
	for (n = 1; n <= text_lines; n++)
		text[kind, key, n] = texts[n]
	text_count[kind, key] = text_lines
}

# Adds a call, a macro or a struct to what the last comment is for.
function add_item(kind, name, form,  key) {
	if (!have_text)
		fail(FILENAME ":" FNR ": " name " has no comment")
	if (!in_group) {
		in_group = 1
		groups[nr_pages]++
		keep_text("group", nr_pages SUBSEP groups[nr_pages])
	}
	key = nr_pages SUBSEP groups[nr_pages]
	items[key]++
	key = key SUBSEP items[key]
	item_kind[key] = kind
	item_name[key] = name
	item_form[key] = form
	if (kind != "struct")
		page_of[name] = page
}

function begin_call() {
	proto = $0
	sub(/^(__evl_api|__EVL_HL_DECLARED|__evl_inline) /, "", proto)
	sub(/^__evl_printf\([^)]*\) /, "", proto)
	end_call()
}

function end_call(  name) {
	if (proto !~ /\)$/)
		return
	gsub(/[ \t]+/, " ", proto)
	name = proto
	sub(/\(.*/, "", name)
	sub(/.*[ *]/, "", name)
	if (name !~ /^__/)
		add_item("call", name, proto)
	else
		have_text = 0
	proto = ""
}

function begin_struct() {
	struct_name = $2
	body = $0
}

# Those which nobody explains are nobody's business.
function end_struct() {
	if (have_text && body !~ /__evl_hl/)
		add_item("struct", struct_name, body)
	struct_name = ""
}

function macro(  name, form) {
	form = $0
	sub(/^#[ \t]*define[ \t]+/, "", form)
	name = form
	sub(/[^A-Za-z0-9_].*/, "", name)
	if (name in page_of || !have_text)
		return
	form = substr(form, length(name) + 1)
	if (form ~ /^\(/) {
		sub(/\).*/, ")", form)
		gsub(/__/, "", form)
	} else {
		form = ""
	}
	# What stands for a function has been declared in the comment.
	if (!in_group && texts[1] ~ ("^[a-z].*[ *]" name "\\("))
		add_item("call", name, take_prototype())
	else
		add_item("macro", name, name form)
}

# Takes the prototype off the comment, and leaves what comes behind.
function take_prototype(  all, form, n) {
	all = texts[1]
	for (n = 2; n <= text_lines; n++)
		all = all " " texts[n]
	gsub(/[ \t]+/, " ", all)
	form = all
	sub(/\).*/, ")", form)
	all = substr(all, length(form) + 1)
	sub(/^: */, "", all)
	texts[1] = all == "" ? "Same, with what is most common." : toupper(substr(all, 1, 1)) substr(all, 2)
	text_lines = 1
	return form
}

# --- Writing -------------------------------------------------------------------------------------

END {
	if (failed)
		exit 1
	for (nr = 1; nr <= nr_pages; nr++)
		if (groups[nr])
			write_page(nr)
	exit failed
}

function write_page(nr,  n, i, key, name) {
	page = pages[nr]
	page_nr = nr
	stage_of = result_of = ""
	file = out "/" page ".3"
	split("", mentioned)
	put(".\\\" SPDX-License-Identifier: MIT")
	put(".\\\" Made from " header[nr] " by tools/manual.awk.")
	put(".Dd " date)
	put(".Dt " toupper(page) " 3")
	put(".Os evl")
	write_name(nr)
	put(".Sh SYNOPSIS")
	put(".In " header[nr])
	for (n = 1; n <= groups[nr]; n++) {
		key = nr SUBSEP n
		for (i = 1; i <= items[key]; i++)
			write_form(key SUBSEP i)
	}
	put(".Sh DESCRIPTION")
	sort_out("head", nr)
	page_stage = stage
	page_result = result
	put(said)
	put(".Bl -tag -width Ds")
	for (n = 1; n <= groups[nr]; n++)
		write_group(nr, n)
	put(".El")
	write_see_also()
	close(file)
}

function put(line) { print line >file }

# The first sentence of the header says it.
function write_name(nr,  n, i, key, line) {
	put(".Sh NAME")
	line = ".Nm " page
	for (n = 1; n <= groups[nr]; n++) {
		key = nr SUBSEP n
		for (i = 1; i <= items[key]; i++)
			if (item_kind[key, i] == "call")
				line = line " ,\n.Nm " item_name[key, i]
	}
	put(line)
	line = ""
	for (i = 1; i <= text_count["head", nr] && line !~ /\. |\.$/; i++)
		line = line (i > 1 ? " " : "") text["head", nr, i]
	line = first_sentence(line)
	sub(/\.$/, "", line)
	put(".Nd " escape(tolower(substr(line, 1, 1)) substr(line, 2)))
	write_links(nr)
}

function write_links(nr,  n, i, key, link) {
	for (n = 1; n <= groups[nr]; n++) {
		key = nr SUBSEP n
		for (i = 1; i <= items[key]; i++) {
			if (item_kind[key, i] == "struct" || item_name[key, i] !~ /^(evl_|oob_|EVL_|DEFINE_EVL_|[A-Z]*_EVL_)/)
				continue
			link = out "/" item_name[key, i] ".3"
			print ".so man3/" page ".3" >link
			close(link)
		}
	}
}

function write_form(key,  form, type, args, n, count) {
	form = item_form[key]
	if (item_kind[key] == "struct") {
		put(".Bd -literal")
		gsub(/\\/, "\\e", form)
		put(form)
		put(".Ed")
		return
	}
	if (form !~ /\(/) {
		put(".Fd #define " form)
		return
	}
	type = form
	sub(/\(.*/, "", type)
	sub(/[A-Za-z0-9_]+$/, "", type)
	sub(/ $/, "", type)
	if (type != "")
		put(".Ft " (type ~ / / ? "\"" type "\"" : type))
	put(".Fo " item_name[key])
	sub(/^[^(]*\(/, "", form)
	sub(/\)$/, "", form)
	count = split(form, args, /, */)
	for (n = 1; n <= count; n++)
		put(".Fa \"" args[n] "\"")
	put(".Fc")
}

function write_group(nr, n,  key, i, line) {
	key = nr SUBSEP n
	line = ".It"
	for (i = 1; i <= items[key]; i++) {
		line = line (i > 1 ? " ," : "")
		if (item_kind[key, i] == "struct")
			line = line " Vt \"struct " item_name[key, i] "\""
		else if (item_form[key, i] ~ /\(/)
			line = line " Fn " item_name[key, i]
		else
			line = line " Dv " item_name[key, i]
	}
	put(line)
	sort_out("group", key)
	if (said != "")
		put(said)
	if (first_call(key) != "")
		write_contract(key)
}

# Whose comment says nothing of its own about stage or result refers to another call.
function write_contract(key,  name, other) {
	name = first_call(key)
	other = ""
	if (match(said, /as \\fB[a-z_]+\\fP\(\) does/))
		other = substr(said, RSTART + 6, RLENGTH - 16)
	if (stage != "")
		stage_of = name
	else
		stage = page_stage != "" ? page_stage : refer(name, other == "" ? stage_of : other)
	if (result ~ /^\\%/ && returns_code(key))
		result = "0, or " result
	if (result != "")
		result_of = name
	else if (returns_code(key))
		result = page_result != "" ? page_result : refer(name, other == "" ? result_of : other)
	if (said != "")
		put(".Pp")
	put(".Bl -tag -width Returns -compact\n.It Stage\n" stage)
	if (result != "")
		put(".It Returns\n" result)
	put(".El")
}

function refer(name, other) {
	if (said !~ /[Ss]ame|[Aa]s above|as .*\(\) does/ || other == "")
		fail(header[page_nr] ": " name "() does not tell on what stage, or what it returns")
	return "as for \\fB" other "\\fP()"
}

function first_call(key,  i) {
	for (i = 1; i <= items[key]; i++)
		if (item_kind[key, i] == "call")
			return item_name[key, i]
	return ""
}

function returns_code(key,  i) {
	for (i = 1; i <= items[key]; i++)
		if (item_kind[key, i] == "call" && item_form[key, i] ~ /^(int|ssize_t) /)
			return 1
	return 0
}

# --- What a comment says -------------------------------------------------------------------------

# Sorts a comment into what is said, the stage, and the result, ready to be put.
function sort_out(kind, key,  n, count, line, after, prose) {
	said = stage = result = prose = ""
	count = text_count[kind, key]
	for (n = 1; n <= count; n++) {
		line = text[kind, key, n]
		after = n < count ? text[kind, key, n + 1] : ""
		if (line == "" || line ~ /^  / || (after ~ /^\t/ && line !~ /^\t/)) {
			sort_sentences(prose)
			prose = ""
		}
		if (line ~ /^  /)
			result = result table_row(line, n == 1 || text[kind, key, n - 1] !~ /^  /, after !~ /^  /)
		else if (line ~ /^\t/) {
			prose = prose (prose == "" ? "" : " ") substr(line, 2)
			if (after !~ /^\t/) {
				said = said "\n" sentences(prose) "\n.Ed"
				prose = ""
			}
		} else if (after ~ /^\t/)
			said = said "\n.Pp\n\\fB" escape(line) "\\fP\n.Bd -filled -offset indent -compact"
		else if (line != "")
			prose = prose (prose == "" ? "" : " ") line
	}
	sort_sentences(prose)
	sub(/^\n(\.Pp\n)?/, "", said)
	sub(/^\n/, "", stage)
	sub(/^\n(Returns )?/, "", result)
}

# "  CODE  what it means"
function table_row(line, first, last,  code) {
	sub(/^ +/, "", line)
	code = line
	sub(/ .*/, "", code)
	sub(/^[^ ]+ +/, "", line)
	return (first ? "\n.Bl -tag -width -ENOEXEC -compact" : "") "\n.It " escape(code) "\n" escape(line) \
		(last ? "\n.El" : "")
}

function sort_sentences(prose,  rest, sentence, kept) {
	kept = ""
	for (rest = prose; rest != ""; rest = substr(rest, length(sentence) + 2)) {
		sentence = first_sentence(rest)
		if (sentence ~ /^(In-band|Out-of-band|Any stage|Any thread)/)
			stage = stage "\n" escape(sentence)
		else if (sentence ~ /^(Returns|0[ ,]|True|-E)/ || (sentence ~ /^or / && result != ""))
			result = result "\n" escape(sentence)
		else
			kept = kept "\n" escape(sentence)
	}
	if (kept != "")
		said = said "\n.Pp" kept
}

# Each on a line, as roff wants them.
function sentences(prose,  rest, sentence, list) {
	list = ""
	for (rest = prose; rest != ""; rest = substr(rest, length(sentence) + 2)) {
		sentence = first_sentence(rest)
		list = list (list == "" ? "" : "\n") escape(sentence)
	}
	return list
}

# A sentence ends where another one begins.
function first_sentence(prose) {
	if (!match(prose, /[^ ][^ ]\.\)? ([A-Z0-9]|-E)/))
		return prose
	return substr(prose, 1, RSTART + 2 + (substr(prose, RSTART + 3, 1) == ")"))
}

# Calls in bold, and what roff would take for its own.
function escape(line,  done, name) {
	gsub(/\\/, "\\e", line)
	gsub(/-E/, "\\%\\-E", line)
	done = ""
	while (match(line, /[A-Za-z_][A-Za-z_0-9]*(<name>)?\(\)/)) {
		name = substr(line, RSTART, RLENGTH - 2)
		done = done substr(line, 1, RSTART - 1) "\\fB" name "\\fP()"
		line = substr(line, RSTART + RLENGTH)
		if (name in page_of && page_of[name] != page)
			mentioned[page_of[name]] = 1
	}
	line = done line
	return line ~ /^[.']/ ? "\\&" line : line
}

# --- Other pages ---------------------------------------------------------------------------------

function write_see_also(  n) {
	put(".Sh SEE ALSO")
	for (n = 1; n <= nr_pages; n++)
		if (groups[n] && (pages[n] in mentioned || index(included[page_nr], "<" header[n] ">")))
			put(".Xr " pages[n] " 3 ,")
	put(".Xr evl 7")
}

function fail(message) {
	print "manual: " message >"/dev/stderr"
	failed = 1
}
