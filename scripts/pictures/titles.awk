# Gives the generated catalogue titles, as a real one has.
BEGIN {
  OFS = ","
  count = split("Where the money went|A short history of lists|The long way round|What nobody measured|Notes from the harbour|Seven small failures|On being early|The second draft|A room with no clock|How it was counted|Two maps of one town", titles, "|")
  shows["ledger"] = "The Ledger"; shows["deep-field"] = "Deep Field"; shows["orbit"] = "Orbit"
}
NR == 1 { print $0, "title", "show_title"; next }
{ number = $2; sub(/.*-/, "", number); print $0, number + 0 ": " titles[NR % count + 1], shows[$1] }
