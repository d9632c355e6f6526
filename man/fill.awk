# Fills the tables of a manual page from the program itself:
#
#   awk -v keys=FILE -v metrics=FILE -f fill.awk PAGE.in
#
# FILEs are what "segued --keys" and "segued --metrics" print.  A line
# "@keys PREFIX@" becomes the keys below PREFIX that no longer PREFIX of the
# page takes; "@metrics PREFIX@" the metrics that begin so.  A row without a
# place is an error, so that nothing is left out.

function quote(s) {
	gsub(/\\/, "\\e", s)
	gsub(/\. /, ".\n", s)
	return s ~ /^[.']/ ? "\\&" s : s
}

# A sentence of its own for each of the columns.
function say_key(f,    t) {
	printf ".It Ic %s", f[1]
	if (f[2] != "map" && f[2] != "list")
		printf " : Ar %s", f[2]
	print ""
	print quote(f[6])
	if (f[3] == "required")
		print "Required."
	else if (f[3] != "" && f[3] != "none")
		printf "Default %s.\n", f[3]
	if (f[4] ~ /\|/) {
		t = f[4]
		gsub(/\|/, ", ", t)
		printf "One of %s.\n", t
	} else if (f[4] != "") {
		t = f[4]
		sub(/\.\./, " to ", t)
		printf "%s.\n", (t ~ /^at most/ ? "At" substr(t, 3) : \
		    "From " t)
	}
	if (f[5] == "restart")
		print "Needs a restart."
}

function say_metric(f,    t) {
	t = f[3]
	gsub(/,/, ", ", t)
	printf ".It Ic %s Pq %s%s\n", f[1], f[2], t == "" ? "" : "; " t
	print quote(f[4])
}

function load(file, what,    line, f) {
	while ((getline line < file) > 0) {
		n[what]++
		row[what, n[what]] = line
		split(line, f, "\t")
		name[what, n[what]] = f[1]
	}
	close(file)
	if (n[what] == 0)
		fail("there are no " what)
}

function fail(why) {
	print "fill.awk: " why > "/dev/stderr"
	failed = 1
	exit 1
}

# Of the prefixes of the page, the longest that fits.
function place_of(what, s,    i, best) {
	best = 0
	for (i = 1; i <= places; i++)
		if (place_what[i] == what && index(s, prefix[i]) == 1 && \
		    (best == 0 || length(prefix[i]) > length(prefix[best])))
			best = i
	return best
}

function fill(place,    i, f, what) {
	what = place_what[place]
	for (i = 1; i <= n[what]; i++) {
		if (placed[what, i] != place)
			continue
		split(row[what, i], f, "\t")
		if (what == "keys")
			say_key(f)
		else
			say_metric(f)
	}
}

{
	lines++
	text[lines] = $0
	if ($0 ~ /^@[a-z]+( [^ @]*)?@$/) {
		places++
		at[lines] = places
		split(substr($0, 2, length($0) - 2), w, " ")
		place_what[places] = w[1]
		prefix[places] = w[2]
		wanted[w[1]] = 1
	}
}

END {
	if (failed)
		exit 1
	for (what in wanted) {
		load(what == "keys" ? keys : metrics, what)
		for (i = 1; i <= n[what]; i++) {
			placed[what, i] = place_of(what, name[what, i])
			if (placed[what, i] == 0)
				fail(name[what, i] " has no place")
		}
	}
	for (i = 1; i <= lines; i++)
		if (i in at)
			fill(at[i])
		else
			print text[i]
}
