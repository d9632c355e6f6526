"""why - one plain sentence for each request on which we differ, and why.

A row of WHY: the sentence, and the names of the rows it explains.  It says
who is stricter, which section rules it, and why we decided as we did.
"""
WHY = [
    # ---- start lines ----
    ("HAProxy and nginx skip any number of empty lines before a request and "
     "RFC 9112 2.2 asks for one: we skip four, since a client that sends "
     "more is not one that speaks HTTP.",
     ["empty lines without end"]),
    ("A lone LF as the end of a line (and nginx: a lone CR before a request) "
     "may be taken by RFC 9112 2.2 and is by both; we refuse it, since "
     "programs that see the line's end elsewhere read another head.",
     ["a bare LF before it", "a bare CR before it", "a bare LF ends it",
      "a bare LF ends a field", "a bare LF ends the head"]),
    ("nginx takes CR CR LF as the end of a field's line; RFC 9112 2.2 "
     "forbids a bare CR there, so HAProxy and we refuse it.",
     ["CR CR LF ends a field"]),
    ("nginx answers HTTP/0.9 with a bare body; RFC 9112 knows no such "
     "request, HAProxy and we refuse it, for its end cannot be told and no "
     "fields can be set.",
     ["no version: HTTP/0.9"]),
    ("RFC 9112 3 allows to split a start line at any white space and both "
     "do so in part; we take exactly one space, since a target or version "
     "found at another place is another request.",
     ["two spaces", "two spaces before the version", "a space behind it",
      "a tab for a space", "a tab before the version"]),
    ("nginx passes bytes above 127 in a target; RFC 3986 2 has none of "
     "them, HAProxy and we refuse them.",
     ["no ASCII in the target"]),
    ("nginx reads HTTP/1.10 as 1.1; RFC 9112 2.3 has one digit, HAProxy and "
     "we refuse more.",
     ["a version with two digits"]),
    ("A major version that is not 1 is 505 here (RFC 9110 15.6.6); HAProxy "
     "passes such requests on as HTTP/1.1 or as HTTP/0.9, nginx refuses "
     "them with 505 or 400.",
     ["HTTP/0.9 by name", "HTTP/2.0 in a start line", "HTTP/3",
      "another version in the middle"]),
    ("HAProxy speaks HTTP/2 without TLS on the same port and takes the "
     "preface for a beginning; we say 505 and nginx 400, since a client "
     "without prior agreement gets HTTP/1 from us (RFC 9113 3.3).",
     ["the preface of HTTP/2"]),
    ("Both pass on a method of any length; we bound it at 64 bytes, longer "
     "than any registered one (RFC 9110 16.1), since it goes to logs.",
     ["a method without end"]),
    ("nginx refuses methods that are not capitals and underscores; by RFC "
     "9110 9.1 a method is any token and has case, so HAProxy and we pass "
     "it on.",
     ["methods have case", "a method of every kind of byte"]),
    # ---- targets ----
    ("HAProxy passes a broken escape on; nginx and we refuse it (RFC 3986 "
     "2.1), since rules on paths must see what the instance sees; our "
     "connection goes on, for the framing is not in doubt.",
     ["an escape cut short", "an escape that is not hexadecimal",
      "a refused target in the middle"]),
    ("nginx takes a fragment in a target and cuts it off for its own rules "
     "only; RFC 9112 3.2 has none, HAProxy and we refuse it.",
     ["a fragment in the target", "absolute form with a fragment"]),
    ("Both pass quotes and angle brackets in a target; RFC 3986 2 has none "
     "of them and RFC 9112 3.2 advises 400, so we refuse them before they "
     "reach a page or a log that trusts targets.",
     ["a quote in the target", "angle brackets in the target"]),
    ("RFC 9112 3.2.2 lets the authority of an absolute target replace Host, "
     "and we do so; HAProxy refuses the request when the two differ, and "
     "this nginx configuration takes the host but not the port.",
     ["absolute form: its authority wins, 3.2.2",
      "absolute form without a path",
      "absolute form, the scheme in capitals",
      "absolute form with a port", "absolute form of https",
      "absolute form with an IPv6 address"]),
    ("HAProxy passes an absolute target on as it came, in 1.0 without a "
     "Host; we and nginx send the instance a path and a Host (RFC 9112 "
     "3.2.2), which every instance can read.",
     ["absolute form in 1.0 needs no Host"]),
    ("HAProxy takes an absolute target of 1.1 without Host and one without "
     "an authority; RFC 9112 3.2 asks for 400 in the first case and RFC "
     "9110 4.2.1 calls the second invalid, so nginx and we refuse both.",
     ["absolute form without Host in 1.1", "absolute form without a host"]),
    ("nginx puts in the missing path before a query, as RFC 9112 3.2.1 has "
     "the next sender do; we are stricter, since the target would have to "
     "be made anew and no client sends it, and HAProxy refuses its Host.",
     ["absolute form with a query and no path"]),
    ("nginx takes any scheme for http; HAProxy refuses it for its differing "
     "Host, and we because we serve http and https only (RFC 9110 7.4).",
     ["another scheme"]),
    ("OPTIONS * is for the server as a whole (RFC 9112 3.2.4): we pass it "
     "on in that form, nginx refuses it or makes a path of it, HAProxy "
     "passes the short form on and refuses the long one for its Host.",
     ["asterisk with OPTIONS", "absolute form of OPTIONS *, 3.2.4"]),
    ("HAProxy passes an asterisk with other methods, or with more behind "
     "it; RFC 9112 3.2.4 has it for OPTIONS alone, nginx and we refuse it.",
     ["asterisk with another method", "an asterisk and more"]),
    ("HAProxy passes CONNECT on where the Host agrees; we refuse it with "
     "405 (RFC 9110 9.3.6 is for proxies that clients choose), nginx with "
     "400 or 405.",
     ["CONNECT is refused", "CONNECT with a path",
      "CONNECT in the middle"]),
    # ---- Host ----
    ("HAProxy passes a request of 1.1 without Host on, and one of two "
     "equal Hosts; RFC 9112 3.2 demands 400 for both, which nginx and we "
     "answer.",
     ["1.1 without Host", "two of them", "two of them in 1.0",
      "a bad one in the middle"]),
    ("A request of 1.0 needs no Host, but the 1.1 that we speak to the "
     "instance does (RFC 9112 3.2): we give it the instance's address, "
     "nginx gives its server's name, HAProxy passes it as 1.0 without one.",
     ["1.0 without Host: the instance gets one"]),
    ("HAProxy passes a Host that is no host and port; RFC 9112 3.2 demands "
     "400 for an invalid value, which nginx answers for some and we for "
     "all, since the value decides the service and is put into links.",
     ["an empty one", "a list", "a path in it", "a scheme in it",
      "a space in it", "NUL in it", "a port alone"]),
    ("Neither of the two looks closely at ports, user information, "
     "addresses in brackets and odd bytes of a Host; RFC 9112 3.2 demands "
     "400 for an invalid value, so we refuse what RFC 3986 3.2 does not "
     "allow, and a port above 65,535 or zero.",
     ["a query in it", "user information in it", "no ASCII in it",
      "a backslash in it", "a quote in it", "a port that is none",
      "a port too high", "port zero", "a negative port", "two ports",
      "an IPv6 address without end", "an IPv6 address that is none",
      "an IPv6 address with a zone", "letters behind an IPv6 address"]),
    ("RFC 3986 3.2.2 allows escapes in a name, and both pass them; we "
     "refuse them, since no DNS name needs one and two spellings of a host "
     "are two services.",
     ["an escape in it"]),
    ("A tab around a value is white space (RFC 9110 5.6.3) and goes, with "
     "HAProxy and us; nginx keeps it as a part of the value, so it refuses "
     "a Host, a length or a coding with one and passes it in others.",
     ["white space around it", "white space around a value",
      "a length with white space around it", "white space around chunked"]),
    # ---- fields ----
    ("HAProxy joins folded lines; RFC 9112 5.2 lets us refuse them, as "
     "nginx does, since what does not know folding sees other fields.",
     ["a folded line", "a line folded by a tab", "a line of spaces",
      "chunked, folded"]),
    ("nginx throws away lines without a colon or with a name that is no "
     "token and goes on; RFC 9112 5 has no such lines, HAProxy and we "
     "refuse the request rather than guess.",
     ["no colon", "a name that is no token", "no ASCII in a name"]),
    ("Control bytes in a value may be refused or replaced by a space (RFC "
     "9110 5.5, a must for CR, LF and NUL): HAProxy passes even NUL, nginx "
     "passes all but NUL, we refuse all but tab.",
     ["NUL in a value", "a control byte in a value",
      "a form feed in a value", "ESC in a value", "DEL in a value"]),
    ("nginx by default drops fields whose names hold more than letters, "
     "digits and hyphens; they are tokens (RFC 9110 5.1), so HAProxy and "
     "we pass them, and never read an underscore as a hyphen. Where an "
     "instance would, and be misled, we drop them: Content_Length, and what "
     "tells of a client.",
     ["a name of every kind of byte", "an underscore is no hyphen"]),
    ("What a stranger says of who asks goes on in both, in fields the "
     "configuration does not name (RFC 7239 8.1 warns of it); we drop or "
     "replace all of them unless the peer is trusted.",
     ["who asks is said anew"]),
    ("Too long a target is 414, too large a field or head 431 (RFC 9110 "
     "15.5.15, RFC 6585 5); HAProxy says 400 to all, nginx 400 with a text "
     "to some, and it has no limit on the number of fields.",
     ["a target too long", "a field too big", "a name without end",
      "a head too big", "too many fields"]),
    ("Our bound on a target is 16 KiB, above the 8,000 bytes RFC 9112 3 "
     "recommends, because SAML by redirect needs them; the buffers of "
     "HAProxy and nginx are smaller by default.",
     ["a target as long as may be"]),
    # ---- lengths and codings ----
    ("HAProxy of this version takes a length that does not fit into 64 "
     "bits, passes it on and waits for the body; RFC 9110 8.6 warns of "
     "overflow, nginx and we refuse it (we what is above 63 bits).",
     ["a length above 64 bits"]),
    ("HAProxy takes the same length twice as one, which RFC 9112 6.3 "
     "allows; nginx and we refuse it, since no client we know sends it and "
     "smugglers do.",
     ["one length twice: stricter than 6.3", "a list of lengths"]),
    ("HAProxy takes a request with a length and chunked by the chunks, "
     "drops the length and closes, which RFC 9112 6.1 allows; nginx and we "
     "refuse it, since this is how requests are smuggled.",
     ["chunked and a length: smuggling, 6.3", "a length and chunked",
      "length zero and chunked"]),
    ("RFC 9110 5.6.1 has recipients skip empty elements of a list: we do, "
     "HAProxy answers 422 and nginx 501, and no client needs it.",
     ["empty elements in the list, 9110 5.6.1"]),
    ("All three refuse: what cannot end in chunked is 400 here (RFC 9112 "
     "6.3), as in HAProxy, and 501 in nginx.",
     ["a length and identity", "chunked twice", "chunked is not last",
      "another coding alone: no end can be found, 6.3", "identity",
      "no coding at all", "a coding in quotes", "chunked with a parameter",
      "a word that ends in chunked", "a word that begins with chunked",
      "chunked behind a form feed"]),
    ("All three refuse: a coding we do not know before chunked is 501 here "
     "(RFC 9112 6.1), in nginx 501 or 400, in HAProxy 422.",
     ["gzip, then chunked", "gzip and chunked in two fields",
      "an unknown coding, then chunked"]),
    ("HAProxy takes chunks of a client of 1.0 and closes behind them; RFC "
     "9112 6.1 calls the framing faulty even so, nginx and we refuse it.",
     ["chunked in HTTP/1.0, 6.1"]),
    # ---- chunks and trailers ----
    ("nginx throws trailers away, as RFC 9110 6.5.1 allows, HAProxy passes "
     "all of them, even Host and Authorization; we pass those that cannot "
     "change what the head said.",
     ["trailers pass",
      "a trailer that would change the head goes, 9110 6.5.1"]),
    ("Both take white space behind a chunk's size, a remnant of RFC 7230's "
     "grammar for extensions (RFC 9112 7.1.1 has it around a semicolon "
     "only); we take none before the semicolon, since readers differ on it.",
     ["a space behind a size", "a tab behind a size",
      "a space before an extension: stricter than 7.1.1"]),
    ("Both take any number of zeros before a chunk's size; we bound its "
     "digits at 16, as RFC 9112 7.1 asks to guard against overflow, and no "
     "sender pads further.",
     ["seventeen digits"]),
    ("Both take a lone LF within the lines of chunks and trailers; RFC 9112 "
     "2.2 allows it for start lines and fields alone, not here (7.1), and "
     "readers that differ on it see other chunks: we refuse it.",
     ["a bare LF behind a size", "a bare LF behind a chunk",
      "a bare LF ends an extension", "a bare LF behind the last chunk",
      "a bare LF ends the body", "a bare LF in a trailer"]),
    ("Both end the size's line at a lone LF within an extension and read "
     "what follows as data, another request than the one RFC 9112 7.1.1 "
     "describes; we refuse it, as it has been used to smuggle.",
     ["a bare LF in an extension"]),
    ("Both skip any byte in an extension; NUL is in no part of RFC 9112 "
     "7.1.1, and we refuse it.",
     ["a NUL in an extension"]),
    ("Both skip extensions of any length; RFC 9112 7.1.1 asks for a limit "
     "on their total, ours is 4 KiB a message.",
     ["an extension without end", "many small extensions"]),
    ("nginx skips trailers unread, HAProxy reads them loosely and not "
     "always alike; they are fields (RFC 9112 7.1.2), so for us the same "
     "grammar holds as in the head, and no folding.",
     ["a trailer with a space before its colon", "a folded trailer",
      "a trailer without a colon", "NUL in a trailer",
      "a request for a trailer"]),
    ("Both take a length or a coding as a trailer, and HAProxy passes it "
     "on; RFC 9110 6.5.1 forbids framing there, and we refuse it.",
     ["a length as trailer", "a coding as trailer"]),
    ("HAProxy says 400 to too many trailers and nginx skips them; the limit "
     "on fields holds for them, too, so we say 431 (RFC 6585 5).",
     ["too many trailers"]),
    # ---- connections ----
    ("nginx looks for the letters \"close\" anywhere in Connection; it is a "
     "list of words (RFC 9110 7.6.1), so HAProxy and we close for the word "
     "only.",
     ["a word that ends in close"]),
    ("HAProxy repeats the client's version towards the instance, nginx and "
     "we send our own, as RFC 9112 2.3 demands of intermediaries.",
     ["1.0 closes", "1.0 that asks to stay",
      "1.0 that asks to stay, and to close",
      "Proxy-Connection keeps nobody", "two requests of 1.0 that stay",
      "a body of 1.0 that stays", "a body in 1.0",
      "nothing is read behind 1.0"]),
    ("RFC 9110 7.6.1 demands that fields named by Connection go no further: "
     "we drop them, HAProxy and nginx pass them.",
     ["what Connection names goes no further",
      "what two Connection fields name goes no further",
      "named before it comes, and twice", "close and a name"]),
    ("Because we look for each name in all fields, we bound them at 32 "
     "(RFC 9110 5.4 allows limits); the two do not look and need no bound.",
     ["more names than anybody needs"]),
    ("RFC 9110 7.6.1 demands that fields of one hop go no further, named or "
     "not: we drop them, HAProxy passes them, nginx those that its "
     "configuration does not name.",
     ["fields of one hop go no further", "TE: trailers is of one hop",
      "Upgrade without Connection is not one",
      "Connection: upgrade without an Upgrade"]),
    # ---- half-close ----
    ("nginx gives up a request whose client has sent its FIN unless it is "
     "told to ignore that; a FIN says that no more will be asked, not that "
     "nothing is read (RFC 9293 3.6), so we answer what was, and HAProxy, "
     "too, but with several requests not always alike.",
     ["FIN behind the request", "FIN behind a body", "FIN behind two",
      "FIN behind a request of 1.0", "FIN within the second of two"]),
    ("HAProxy answers 400 to a head that ends early; we close, as nginx "
     "does: RFC 9112 8 leaves it open, and who has left reads no answer.",
     ["FIN within a start line", "FIN within a head"]),
    # ---- expectations ----
    ("HAProxy and nginx pass or drop expectations they do not know; RFC "
     "9110 10.1.1 lets a server answer 417, which we do, since nobody "
     "behind us could meet what we did not understand.",
     ["an unknown expectation", "an empty expectation",
      "an unknown one behind a known one",
      "an expectation with a parameter", "an expectation in the middle"]),
    ("HAProxy passes a 1.0 client's expectation on; RFC 9110 10.1.1 has it "
     "ignored, so we drop it, and nginx drops every expectation.",
     ["1.0 cannot expect"]),
    ("nginx answers 100 itself before the instance has said anything and "
     "drops the expectation; RFC 9110 10.1.1 has it passed on to an "
     "instance of 1.1, so HAProxy and we do, and a refusal comes before "
     "the body.",
     ["a client that does not wait", "an expectation without a body"]),
    ("All pass the instance's final answer on without waiting for the body "
     "(RFC 9110 10.1.1); nginx has said 100 before it, HAProxy keeps the "
     "connection open for the body, we close it.",
     ["the instance answers at once: no body is waited for",
      "the instance refuses at once"]),
    # ---- early answers ----
    ("After an early answer HAProxy keeps the connection and takes the rest "
     "of the body; RFC 9112 9.3 allows both, nginx and we say close, since "
     "a body nobody wants is not worth its bytes.",
     ["an early answer, and no more of the body",
      "an early answer, then the rest of the body",
      "an early answer within chunks", "an early answer that closes",
      "an early answer that closes, and a large body",
      "a request behind the rest of the body is not read"]),
    # ---- upgrades, interim answers ----
    ("RFC 9110 7.8 has a 1.0 client's Upgrade ignored: we drop it, the two "
     "pass it.",
     ["1.0 cannot upgrade"]),
    ("The two pass an upgrade to h2c on; RFC 9110 7.8 leaves it to the "
     "proxy, and we drop it, since requests in that tunnel would pass by "
     "every rule (and RFC 9113 3.1 has withdrawn it).",
     ["h2c goes no further: its requests would meet no rule",
      "h2c in a list goes no further"]),
    ("An upgrade with a body cannot begin before the body's end (RFC 9110 "
     "7.8): we and HAProxy pass such a request without it, nginx with it.",
     ["an upgrade with a body is not asked for"]),
    ("nginx of this version passes no interim answers on and waits for "
     "more behind them; RFC 9110 15.2 demands that a proxy passes them, as "
     "HAProxy and we do.",
     ["103 before the answer", "two interim answers",
      "103 within a pipeline"]),
    ("RFC 9110 15.2 forbids interim answers to a client of 1.0: we drop "
     "them, HAProxy sends them, nginx waits behind them.",
     ["1.0 gets none"]),
]
