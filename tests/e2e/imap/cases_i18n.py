"""Internationalization: LANGUAGE and comparators (RFC 5255 sections 3 and 4)."""

from dialogue import case

LANGUAGE = [
    case("RFC 5255 3.2", "the languages, and choosing one; NAMESPACE follows", r"""
        C: CAPABILITY
        S: * CAPABILITY .*\bLANGUAGE\b.*
        S: OK .*
        C: LANGUAGE
        L: * LANGUAGE (en i-default)
        S: OK .*
        N: * NAMESPACE .*
        C: LANGUAGE EN
        L: * LANGUAGE (en)
        S: * NAMESPACE \(\(.*
        S: OK .*
        C: LANGUAGE "I-Default"
        L: * LANGUAGE (i-default)
        S: OK .*
        C: LANGUAGE fr-CA {lit en-CA}
        L: * LANGUAGE (en)
        S: OK .*
        C: LANGUAGE "default"
        L: * LANGUAGE (en)
        S: OK .*
        C: LANGUAGE "*"
        L: * LANGUAGE (en)
        S: OK .*
        I:
        C: LANGUAGE en
        L: * LANGUAGE (en)
        S: OK .*
    """),
    case("RFC 5255 3.2", "a language that is not spoken, and what is none", r"""
        C: LANGUAGE MUL
        S: NO .*
        N: * LANGUAGE .*
        C: LANGUAGE de-CH fr
        S: NO .*
        C: LANGUAGE eng
        S: NO .*
        C: LANGUAGE en_GB
        S: BAD .*
        C: LANGUAGE en-
        S: BAD .*
        C: LANGUAGE ""
        S: BAD .*
        C: LANGUAGE 1en
        S: BAD .*
        C: LANGUAGE en-toolonganame
        S: BAD .*
        C: LANGUAGE (en)
        S: BAD .*
    """),
]

COMPARATOR = [
    case("RFC 5255 4.7", "the active comparator, changed and asked for", r"""
        C: CAPABILITY
        S: * CAPABILITY .*\bI18NLEVEL=2\b.*
        S: OK .*
        C: COMPARATOR
        L: * COMPARATOR i;unicode-casemap
        S: OK .*
        C: COMPARATOR "cz;*" i;octet
        L: * COMPARATOR i;octet
        S: OK .*
        C: COMPARATOR
        L: * COMPARATOR i;octet
        S: OK .*
        C: COMPARATOR {lit default}
        L: * COMPARATOR i;unicode-casemap
        S: OK .*
        I:
        C: COMPARATOR I;ASCII-CASEMAP
        L: * COMPARATOR i;ascii-casemap
        S: OK .*
        C: UNSELECT
        S: OK .*
        C: COMPARATOR
        L: * COMPARATOR i;ascii-casemap
        S: OK .*
    """),
    case("RFC 5255 4.8", "patterns: the first one that matches wins, all that match are listed", r"""
        C: COMPARATOR "*"
        L: * COMPARATOR i;unicode-casemap (i;unicode-casemap i;ascii-casemap i;octet)
        S: OK .*
        C: COMPARATOR i;octet "i;*-casemap"
        L: * COMPARATOR i;octet (i;unicode-casemap i;ascii-casemap i;octet)
        S: OK .*
        C: COMPARATOR "i;a*-casemap" "de;*"
        L: * COMPARATOR i;ascii-casemap
        S: OK .*
        C: COMPARATOR "-*oct*"
        L: * COMPARATOR -i;octet
        S: OK .*
        C: COMPARATOR +i;octet
        L: * COMPARATOR i;octet
        S: OK .*
    """),
    case("RFC 5255 4.9", "BADCOMPARATOR, and what is no collation at all", r"""
        C: COMPARATOR i;ascii-casemap
        S: OK .*
        C: COMPARATOR i;ascii-numeric "x-*"
        S: NO \[BADCOMPARATOR\] .*
        N: * COMPARATOR .*
        C: COMPARATOR "i;**"
        S: BAD .*
        C: COMPARATOR ";"
        S: BAD .*
        C: COMPARATOR i;*
        S: BAD .*
        C: COMPARATOR ""
        S: BAD .*
        C: COMPARATOR
        L: * COMPARATOR i;ascii-casemap
        S: OK .*
    """),
    case("RFC 5255 4.2", "SEARCH looks by the active comparator", r"""
        I: encoded m1 utf8
        C: SEARCH CHARSET UTF-8 SUBJECT {lit GR\xc3\x9cSSE}
        S: * SEARCH
        S: OK .*
        C: SEARCH CHARSET UTF-8 SUBJECT {lit GR\xc3\x9c}
        S: * SEARCH 1
        S: OK .*
        C: COMPARATOR i;ascii-casemap
        S: OK .*
        C: SEARCH CHARSET UTF-8 SUBJECT {lit GR\xc3\x9c}
        S: * SEARCH
        S: OK .*
        C: SEARCH CHARSET UTF-8 OR SUBJECT {lit GR\xc3\xbc} TEXT {lit \xc3\xbcN\xc3\x8fCODE}
        S: * SEARCH 1
        S: OK .*
        C: SEARCH HEADER SUBJECT MESSAGE
        S: * SEARCH 2
        S: OK .*
        C: COMPARATOR i;octet
        S: OK .*
        C: SEARCH HEADER SUBJECT MESSAGE
        S: * SEARCH
        S: OK .*
        C: SEARCH HEADER subject Message
        S: * SEARCH 2
        S: OK .*
        C: SEARCH CHARSET UTF-8 BODY {lit Stra\xc3\x9fe}
        S: * SEARCH 1
        S: OK .*
        C: SEARCH BODY body
        S: * SEARCH
        S: OK .*
        C: SEARCH FROM "Sender 1" BODY Body KEYWORD none
        S: * SEARCH
        S: OK .*
        C: SEARCH FROM "Sender 1" BODY Body
        S: * SEARCH 2
        S: OK .*
    """),
    case("RFC 5255 4.2", "SORT and THREAD compare by the active comparator", r"""
        I: t7 t3 t6 t1
        C: SORT (SUBJECT) UTF-8 ALL
        L: * SORT 2 1 3 4
        S: OK .*
        C: THREAD ORDEREDSUBJECT UTF-8 ALL
        L: * THREAD (4 (3)(1))(2)
        S: OK .*
        C: COMPARATOR i;octet
        S: OK .*
        C: SORT (SUBJECT) UTF-8 ALL
        L: * SORT 1 3 4 2
        S: OK .*
        C: THREAD ORDEREDSUBJECT UTF-8 ALL
        L: * THREAD (4 3)(2)(1)
        S: OK .*
        C: COMPARATOR -i;octet
        S: OK .*
        C: SORT (SUBJECT) UTF-8 ALL
        L: * SORT 2 3 4 1
        S: OK .*
        C: SORT (REVERSE SUBJECT) UTF-8 ALL
        L: * SORT 1 3 4 2
        S: OK .*
        C: SORT (REVERSE DATE) UTF-8 ALL
        L: * SORT 1 3 2 4
        S: OK .*
        C: SORT RETURN (MIN MAX) (FROM) UTF-8 ALL
        S: * ESEARCH \(TAG "a\d+"\) MIN 1 MAX 2
        S: OK .*
    """),
    case("RFC 5255 4.7", "a search that goes on keeps the comparator it was given under", r"""
        I: m1 m2
        C: COMPARATOR i;octet
        S: OK .*
        c: O1 UID SEARCH RETURN (UPDATE COUNT) SUBJECT Message UNSEEN
        S: * ESEARCH \(TAG "O1"\) UID COUNT 2
        L: O1 OK SEARCH completed
        C: COMPARATOR default
        S: OK .*
        C: APPEND INBOX {lit Subject: message}
        S: OK .*
        N: * ESEARCH .*
        C: STORE 1 +FLAGS.SILENT (\Seen)
        S: * ESEARCH \(TAG "O1"\) UID REMOVEFROM \(0 1\)
        S: OK .*
    """),
]
