#!/bin/sh
# What vmirror-esxi-span, which includes this file, reads from an ESXi host and sets there: `esxcli`, and the formats
# that it prints. Functions leave their answers in variables. They call `die` and `note` of the including script.
# shellcheck disable=SC2034  # The variables are answers.
# shellcheck disable=SC2154  # TAB is the including script's.
OPTION=/Net/ReversePathFwdCheckPromisc
OPTION_NAME=Net.ReversePathFwdCheckPromisc

# ask WORD...: OUT and the exit code of one esxcli call. It puts messages on either stream: both are kept.
ask() {
  OUT=$(esxcli "$@" 2>&1)
}

# must REMEDY WORD...: a call that has to succeed.
must() {
  must_remedy=$1
  shift
  ask "$@" || die "${OUT:-no message}" "esxcli $*" "$must_remedy"
}

# value_of KEY: the value of the line `   KEY: value` in OUT, as VALUE; empty where there is no such line.
value_of() {
  VALUE=$(printf '%s\n' "$OUT" | awk -v key="$1" '
    { line = $0; sub(/^ +/, "", line) }
    index(line, key ":") == 1 { line = substr(line, length(key) + 2); sub(/^ +/, "", line); sub(/[ \r]+$/, "", line)
      print line; exit }')
}

read_host() {
  must "run this in the ESXi shell, as root" system uuid get
  HOST=$(printf '%s' "$OUT" | awk 'NF == 1 {print $1; exit}')
  case "$HOST" in '' | *[!0-9A-Za-z-]*) die "no UUID in \`$OUT\`" "esxcli system uuid get" "run this in the ESXi shell" ;; esac
  must "run this in the ESXi shell, as root" system version get
  value_of Version
  VERSION=$VALUE
  case "$VERSION" in
    6.7.* | 7.*) ;;
    8.*) note "ESXi $VERSION runs no program that came in no VIB (execInstalledOnly): leave that so, this script needs it not" ;;
    *) note "ESXi ${VERSION:-of unknown version} is not one of 6.7, 7, 8, for which this script was written" ;;
  esac
}

# read_switch NAME: UPLINKS, their number.
read_switch() {
  ask network vswitch standard list "--vswitch-name=$1" && [ -n "$OUT" ] ||
    die "no standard switch \`$1\`${OUT:+: $OUT}" "this host" "esxcli network vswitch standard list names them; a distributed \
switch is mirrored through vCenter"
  value_of Uplinks
  UPLINKS=$(printf '%s' "$VALUE" | awk -F ', *' '{print NF}')
  UPLINKS=${UPLINKS:-0}
}

# pick_group NAME: reads esxcli's list of port groups, in OUT, as csv or as table:
#
#   ActiveClients,Name,VLANID,VirtualSwitch,      Name          Virtual Switch  Active Clients  VLAN ID
#   1,VM Network,0,vSwitch0,                      ------------  --------------  --------------  -------
#                                                 VM Network    vSwitch0                     1        0
#
# Prints `SWITCH <tab> VLAN <tab> CLIENTS`, nothing if NAME isn't there, `?` if this is no such list.
# In the table the dashes give the columns. A row with bytes beyond ASCII can't be cut by them: `?` if NAME is such.
pick_group() {
  printf '%s\n' "$OUT" | VMIRROR_NAME=$1 awk '
    function cells(line,   i, c, n, quoted) {
      split("", cell)
      for (i = n = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\"" && quoted && substr(line, i + 1, 1) == "\"") { cell[n] = cell[n] c; i++ }
        else if (c == "\"") quoted = !quoted
        else if (c == "," && !quoted) n++
        else cell[n] = cell[n] c
      }
      return n
    }
    function column(n,   text) {
      text = substr($0, from[n], to[n] - from[n] + 1)
      sub(/ +$/, "", text)
      return text
    }
    BEGIN { name = ENVIRON["VMIRROR_NAME"] "" }
    { sub(/\r$/, "") }
    kind == "" && index($0, ",") {
      n = cells($0)
      for (i = 1; i <= n; i++) at[cell[i]] = i
      if (at["Name"] && at["VirtualSwitch"] && at["VLANID"] && at["ActiveClients"]) kind = "csv"
      next
    }
    kind == "csv" {
      cells($0)
      if (cell[at["Name"]] "" == name) found = cell[at["VirtualSwitch"]] "\t" cell[at["VLANID"]] "\t" cell[at["ActiveClients"]]
      next
    }
    kind == "" && /^--+( +--+)+ *$/ {
      kind = "table"
      for (n = 0, p = 1; match(substr($0, p), /--+/); p += RSTART + RLENGTH - 1) {
        from[++n] = p + RSTART - 1
        to[n] = from[n] + RLENGTH - 1
      }
      to[n] += 100
      if (n != 4) kind = "unknown"
      else if (name ~ /[^ -~]/) kind = "unreadable"
      next
    }
    kind == "table" {
      own = column(1); clients = column(3); vlan = column(4)
      gsub(/ /, "", clients); gsub(/ /, "", vlan)
      if (own == name) found = column(2) "\t" vlan "\t" clients
    }
    END {
      if (kind != "csv" && kind != "table") print "?"
      else if (found != "") print found
    }'
}

# list_groups NAME: GROUP as pick_group prints it. Any build has the table, most have csv, too.
list_groups() {
  if ask --formatter=csv network vswitch standard portgroup list; then
    GROUP=$(pick_group "$1")
    [ "$GROUP" = '?' ] || return 0
  fi
  note "esxcli gives no csv here: its tables are read"
  must "see /var/log/hostd.log" network vswitch standard portgroup list
  GROUP=$(pick_group "$1")
  [ "$GROUP" != '?' ] ||
    die "the list of port groups can't be read for \`$1\`" "esxcli network vswitch standard portgroup list" \
      "choose a name of ASCII characters"
}

# read_group NAME: PRESENT and, if true, SWITCH VLAN CLIENTS and the policy: PROMISCUOUS MAC FORGED, each with _OWN:
# true where the port group overrides its switch, false where it inherits, `?` where esxcli doesn't tell.
read_group() {
  read_tries=0
  while :; do
    list_groups "$1"
    ask network vswitch standard portgroup policy security get "--portgroup-name=$1" || OUT=''
    case "${GROUP:+listed} $OUT" in
      'listed '*Promiscuous*) break ;;
      ' '*Promiscuous*) ;;
      ' '*)
        PRESENT=false
        return 0
        ;;
    esac
    # One says that it is there, the other that it isn't: lists were seen cut short.
    read_tries=$((read_tries + 1))
    [ "$read_tries" -lt 3 ] || die "esxcli contradicts itself about port group \`$1\`" "this host" "see /var/log/hostd.log"
  done
  PRESENT=true
  IFS=$TAB read -r SWITCH VLAN CLIENTS <<END
$GROUP
END
  POLICY=$(printf '%s\n' "$OUT" | awk '
  {
    line = tolower($0)
    if ((p = index(line, ":")) == 0) next
    key = substr(line, 1, p - 1)
    answer = substr(line, p + 1)
    gsub(/[ \r]/, "", key); gsub(/[ \r]/, "", answer)
    if (key ~ /^allow/) value[topic(substr(key, 6))] = answer
    else if (key ~ /^overridevswitch/) own[topic(substr(key, 16))] = answer
  }
  function topic(text) { return text ~ /promisc/ ? "p" : text ~ /mac/ ? "m" : text ~ /forged/ ? "f" : "" }
  function truth(text) { return text == "true" || text == "false" ? text : "?" }
  END { print truth(value["p"]), truth(value["m"]), truth(value["f"]), truth(own["p"]), truth(own["m"]), truth(own["f"]) }')
  IFS=' ' read -r PROMISCUOUS MAC FORGED PROMISCUOUS_OWN MAC_OWN FORGED_OWN <<END
$POLICY
END
  case "$VLAN" in '' | *[!0-9]*) die "VLAN \`$VLAN\` is no number" "port group \`$1\`" "see /var/log/hostd.log" ;; esac
  [ "$PROMISCUOUS" != '?' ] || die "esxcli doesn't tell the promiscuous mode" "port group \`$1\`" "see /var/log/hostd.log"
}

# users_of NAME: USERS, the running VMs that have an adapter there, as esxcli names them; a help for people.
users_of() {
  USERS=''
  ask --formatter=csv network vm list || return 0
  USERS=$(printf '%s\n' "$OUT" | VMIRROR_NAME=$1 awk '
    NR > 1 && index($0, ENVIRON["VMIRROR_NAME"]) { sub(/,.*/, ""); gsub(/"/, ""); print }' | tr '\n' ' ')
}

set_vlan() { must "see /var/log/hostd.log" network vswitch standard portgroup set "--portgroup-name=$1" "--vlan-id=$2"; }
# set_security NAME OPTION...
set_security() {
  security_of=$1
  shift
  must "see /var/log/hostd.log" network vswitch standard portgroup policy security set "--portgroup-name=$security_of" "$@"
}

read_option() {
  ask system settings advanced list "--option=$OPTION" || die "${OUT:-no message}" "advanced option $OPTION_NAME" \
    "where this ESXi hasn't got it: have one uplink only on the switch, or drop duplicates in the sensor"
  value_of 'Int Value'
  case "$VALUE" in '' | *[!0-9]*) die "\`$VALUE\` is no number" "advanced option $OPTION_NAME" "see /var/log/hostd.log" ;; esac
  OPTION_IS=$VALUE
}
set_option() { must "see /var/log/hostd.log" system settings advanced set "--option=$OPTION" "--int-value=$1"; }
