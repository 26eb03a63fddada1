# What the scripts of this directory share: words, settings, processes, MariaDB, nginx, building.
# shellcheck shell=bash
# Sourced, never run. A script that sources it has `set -euo pipefail` on.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# ---- words ----

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# need PROGRAM WHY: ends with the remedy when the program is not there.
need() {
  command -v "$1" >/dev/null 2>&1 || die "$1 is missing ($2). Run scripts/setup first."
}

# print_tail FILE LINES: the end of a log, indented, to standard error.
print_tail() {
  [[ -s $1 ]] || return 0
  printf -- '--- the end of %s\n' "$1" >&2
  tail -n "$2" "$1" | sed 's/^/    /' >&2
}

# help_from FILE: prints the comment at the head of a script as its help.
help_from() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"; }

# random_hex BYTES
random_hex() { od -An -vtx1 -N"$1" /dev/urandom | tr -d ' \n'; }

# ---- state directory and settings file ----

# use_state DIRECTORY: makes the directory and sets STATE (absolute), SOCKETS, SETTINGS.
use_state() {
  # These characters would need quoting rules of nginx, MariaDB and the settings file all at once.
  case $1 in
    *[\"\'\$\;\{\}\\#\|\&]* | *[[:space:]]*) die "FL_STATE may not hold spaces, quotes or any of \$ ; { } \\ # | &: $1" ;;
  esac
  mkdir -p "$1"
  STATE=$(cd "$1" && pwd -P)
  chmod 700 "$STATE"
  mkdir -p "$STATE"/{run,log,tmp,nginx}
  SETTINGS=$STATE/fastlinkit.env
  choose_sockets
}

# choose_sockets: sets SOCKETS. A Unix socket's path has 108 bytes with its end mark, so a deep state
# directory gets a short one elsewhere, private to this user and remembered in the state.
choose_sockets() {
  SOCKETS=$STATE/run
  (( ${#SOCKETS} + 20 < 108 )) && return 0
  local record=$STATE/run/sockets base=${XDG_RUNTIME_DIR:-/tmp}
  [[ -d $base && -w $base ]] || base=/tmp
  if [[ -s $record ]]; then
    SOCKETS=$(<"$record")
    [[ -d $SOCKETS && -O $SOCKETS && ! -L $SOCKETS ]] && return 0
  fi
  SOCKETS=$(mktemp -d "$base/fastlinkit.XXXXXXXX")
  printf '%s\n' "$SOCKETS" >"$record"
}

# setting NAME: its value in the settings file, or nothing.
setting() {
  [[ -f $SETTINGS ]] || return 0
  sed -n "s/^$1=//p" "$SETTINGS" | tail -n 1
}

# set_setting NAME VALUE: writes the line, keeps all others, never lets the file be read by others.
set_setting() {
  [[ $(setting "$1") != "$2" ]] || return 0
  local new
  new=$(mktemp "$SETTINGS.XXXXXX")
  if [[ -f $SETTINGS ]]; then grep -v "^$1=" "$SETTINGS" >"$new" || true; fi
  printf '%s=%s\n' "$1" "$2" >>"$new"
  mv "$new" "$SETTINGS"
}

# ---- processes, each recorded with its start time so that a reused pid is never hit ----

# started_at PID: clock ticks since boot at which the process began; fails when there is none, or a zombie.
started_at() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z ]] || return 1
  printf '%s\n' "${fields[19]}"
}

# pid_of NAME: the pid of a recorded process that still runs; fails when it does not.
pid_of() {
  local pid began
  [[ -s $STATE/run/$1.pid ]] || return 1
  read -r pid began <"$STATE/run/$1.pid"
  [[ $pid =~ ^[0-9]+$ && $(started_at "$pid") == "$began" ]] || return 1
  printf '%s\n' "$pid"
}

# start_process NAME PROGRAM ARGUMENT…: in a session of its own (a Ctrl-C at the terminal does not reach
# it), writing to $STATE/log/NAME.log, recorded in $STATE/run/NAME.pid. Descriptor 9 is the lock of
# the script that starts it and is not handed on.
start_process() {
  local name=$1 pid
  shift
  setsid "$@" </dev/null >>"$STATE/log/$name.log" 2>&1 9>&- &
  pid=$!
  printf '%s %s\n' "$pid" "$(started_at "$pid" || true)" >"$STATE/run/$name.pid"
}

# stop_process NAME SECONDS [SIGNAL]: asks, waits, and kills its process group only when it does not end.
stop_process() {
  local name=$1 limit=$2 signal=${3:-TERM} pid tries
  if pid=$(pid_of "$name"); then
    kill "-$signal" "$pid" 2>/dev/null || true
    for (( tries = limit * 20; tries > 0; tries-- )); do
      pid_of "$name" >/dev/null || break
      sleep 0.05
    done
    if pid_of "$name" >/dev/null; then
      warn "$name (process $pid) did not end within $limit seconds and was killed"
      kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$STATE/run/$name.pid"
}

# stop_everything: in the order that loses nothing: no new requests, answers in flight, mail, database.
stop_everything() {
  stop_process nginx 10 QUIT
  stop_process responder 30
  stop_process sender 30
  stop_process mariadb 60
}

# anything_running: names the recorded processes that run; fails when none does.
anything_running() {
  local name found=()
  for name in nginx responder sender mariadb; do
    if pid_of "$name" >/dev/null; then found+=("$name"); fi
  done
  (( ${#found[@]} > 0 )) || return 1
  printf '%s\n' "${found[*]}"
}

# port_taken PORT: true when something accepts connections there on loopback.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port: a TCP port on loopback that nobody listens on just now.
free_port() {
  local port
  while :; do
    port=$(( 20000 + RANDOM % 12000 ))
    port_taken "$port" || break
  done
  printf '%s\n' "$port"
}

# raise_file_limit: nginx wants two descriptors for each client.
raise_file_limit() {
  local hard
  hard=$(ulimit -Hn)
  [[ $hard == unlimited ]] && hard=65536
  (( hard > 65536 )) && hard=65536
  ulimit -Sn "$hard" 2>/dev/null || true
}

# ---- MariaDB, private: own data, own socket, no network ----

# start_mariadb [OPTION…]: with $STATE/mariadb as data directory and $SOCKETS/mariadb.sock; waits until it
# answers. Options of mariadbd override those below.
start_mariadb() {
  local data=$STATE/mariadb as=() tries
  need mariadbd "the database server, package mariadb-server"
  [[ $(id -u) != 0 ]] || as=(--user=root)
  if [[ ! -d $data/mysql ]]; then
    rm -rf "$data.new"
    mariadb-install-db --no-defaults "${as[@]}" --datadir="$data.new" --skip-test-db \
      --auth-root-authentication-method=normal >"$STATE/log/mariadb-install.log" 2>&1 || {
      print_tail "$STATE/log/mariadb-install.log" 20
      die "the database could not be made in $data"
    }
    mv "$data.new" "$data"
  fi
  # A commit is on the disk when it is answered (flush_log_at_trx_commit=1): a click is removed from its
  # spool on the strength of a commit, so a power cut must not take that commit back.
  start_process mariadb mariadbd --no-defaults "${as[@]}" \
    --datadir="$data" --socket="$SOCKETS/mariadb.sock" --pid-file="$STATE/run/mariadbd.pid" \
    --tmpdir="$STATE/tmp" --skip-networking --skip-name-resolve --skip-log-bin \
    --character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci --default-time-zone=+00:00 \
    --innodb-buffer-pool-size="${FL_BUFFER_POOL:-256M}" --innodb-flush-log-at-trx-commit=1 \
    --innodb-log-file-size=96M --max-connections=1000 --max-allowed-packet=64M "$@"
  for (( tries = 0; tries < 600; tries++ )); do
    sql 'SELECT 1' >/dev/null 2>&1 && return 0
    pid_of mariadb >/dev/null || break
    sleep 0.1
  done
  print_tail "$STATE/log/mariadb.log" 20
  die "the database did not start"
}

# sql STATEMENT…: as root on the private database; from standard input without arguments.
sql() {
  local connect=(mariadb --no-defaults --socket="$SOCKETS/mariadb.sock" --user=root --batch --skip-column-names
    --default-character-set=utf8mb4)
  if (( $# > 0 )); then "${connect[@]}" -e "$*"; else "${connect[@]}"; fi
}

# make_database NAME USER PASSWORD: where not there yet. By standard input: arguments are world-readable.
make_database() {
  sql <<SQL
CREATE DATABASE IF NOT EXISTS \`$1\` CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '$2'@'localhost';
ALTER USER '$2'@'localhost' IDENTIFIED BY '$3';
GRANT ALL ON \`$1\`.* TO '$2'@'localhost';
SQL
}

# ---- the house: settings and responder ----

# write_settings BASE_URL DATABASE: what is missing in $SETTINGS, and what has moved since the last start.
write_settings() {
  set_setting FL_STATE "$(dirname "$SETTINGS")"
  set_setting FL_SHARE "$ROOT"
  set_setting FL_SCALAR "$ROOT/.build-assets/scalar"
  # A directory that the operator wrote stays; the one of a checkout that has moved does not.
  case $(setting FL_GEOIP_DIR) in
    '' | */.build-assets/geoip)
      mkdir -p "$ROOT/.build-assets/geoip"
      set_setting FL_GEOIP_DIR "$ROOT/.build-assets/geoip" ;;
  esac
  # A public address that the operator wrote stays; an address of an earlier port does not.
  case $(setting FL_BASE_URL) in '' | http://127.0.0.1:*) set_setting FL_BASE_URL "${FL_BASE_URL:-$1}" ;; esac
  # Signs and encrypts what is stored: with another one, sessions end and stored secrets are lost.
  [[ -n $(setting FL_SECRET) ]] || set_setting FL_SECRET "${FL_SECRET:-$("$BIN/fastlinkit" secret)}"
  # The location of nginx/site.conf.in that sends files.
  set_setting FL_ACCEL /files-internal/
  set_setting FL_SOCKET "$SOCKETS/fastlinkit.sock"
  set_setting FL_DB_SOCKET "$SOCKETS/mariadb.sock"
  set_setting FL_DB_USER "$2"
  set_setting FL_DB_NAME "$2"
  [[ -n $(setting FL_DB_PASSWORD) ]] || set_setting FL_DB_PASSWORD "$(random_hex 24)"
}

# start_responder NAME SOCKET: as many processes as cores, up to eight; more threads than cores, because
# a worker waits for the database in a part of the requests.
start_responder() {
  local processes
  processes=$(nproc)
  (( processes <= 8 )) || processes=8
  rm -f "$2"
  start_process "$1" "$BIN/fastlinkit" serve --socket "$2" --socket-mode 0660 \
    --processes "${FL_PROCESSES:-$processes}" --threads "${FL_THREADS:-4}"
}

# ---- nginx, from the one source in nginx/ ----

# fill SOURCE NAME=VALUE…: the file with each @NAME@ replaced; ends when a name is left over.
fill() {
  local source=$1 pair value script=()
  shift
  for pair in "$@"; do
    value=${pair#*=}
    value=${value//\\/\\\\}
    value=${value//|/\\|}
    value=${value//&/\\&}
    script+=(-e "s|@${pair%%=*}@|$value|g")
  done
  local text
  text=$(sed "${script[@]}" "$source")
  if grep -qE '@[A-Z_]+@' <<<"$text"; then die "nothing was given for $(grep -oE '@[A-Z_]+@' <<<"$text" | head -n 1) in $source"; fi
  printf '%s\n' "$text"
}

# fill_site NAME LISTEN PASS SCALAR: the site file for one upstream; PASS is `unix:/path` or `host:port`. The files are
# beside $SETTINGS, unless FL_FILES is set.
fill_site() {
  fill "$ROOT/nginx/site.conf.in" NAME="$1" LISTEN="$2" PASS="$3" SHARE="${FL_SHARE:-$ROOT}" SCALAR="$4" \
    SERVER_NAME="${5:-_}" FILES="${FL_FILES:-$(dirname "$SETTINGS")/files}"
}

# write_nginx: $STATE/nginx/nginx.conf around the site files beside it.
write_nginx() {
  local user='# not root: workers run as the user who started this'
  # As root, the workers stay root: the sockets and the checkout are closed to www-data on purpose (mode
  # 700), and everything here listens on loopback alone. A server for others is set up with
  # docs/DEPLOY.md, where nginx drops to www-data.
  [[ $(id -u) != 0 ]] || user='user root;'
  fill "$ROOT/nginx/nginx.conf.in" STATE="$STATE" USER="$user" WORKERS="$(nproc)" >"$STATE/nginx/nginx.conf"
}

# start_nginx: checks the configuration, starts it, and waits until PORT answers.
start_nginx() {
  local port=$1 tries
  need nginx "the web server, package nginx-light"
  nginx -t -q -p "$STATE" -e "$STATE/log/nginx.error.log" -c "$STATE/nginx/nginx.conf" ||
    die "nginx does not take the configuration in $STATE/nginx"
  start_process nginx nginx -p "$STATE" -e "$STATE/log/nginx.error.log" -c "$STATE/nginx/nginx.conf"
  for (( tries = 0; tries < 100; tries++ )); do
    port_taken "$port" && return 0
    pid_of nginx >/dev/null || break
    sleep 0.1
  done
  print_tail "$STATE/log/nginx.error.log" 10
  die "nginx did not start on port $port"
}

# await_health BASE_URL RESPONDER: until nginx and the responder answer that the database is there, at most
# a minute.
await_health() {
  local tries
  for (( tries = 0; tries < 300; tries++ )); do
    curl -fsS -o /dev/null -m 5 "$1/health" 2>/dev/null && return 0
    if ! pid_of "$2" >/dev/null || ! pid_of nginx >/dev/null; then break; fi
    sleep 0.2
  done
  curl -sS -m 5 "$1/health" >&2 || true
  print_tail "$STATE/log/$2.log" 20
  print_tail "$STATE/log/nginx.error.log" 5
  die "$1/health does not answer 200"
}

# ---- building ----

# build_release: builds the programs and sets BIN; with FL_BIN set, takes those of that directory.
build_release() {
  if [[ -n ${FL_BIN:-} ]]; then
    BIN=$(cd "$FL_BIN" && pwd -P)
    [[ -x $BIN/fastlinkit ]] || die "FL_BIN holds no program fastlinkit: $FL_BIN"
    return 0
  fi
  need swift "Swift 6.3"
  (cd "$ROOT" && swift build -c release --static-swift-stdlib) || die "the programs could not be built"
  BIN=$(cd "$ROOT" && swift build -c release --static-swift-stdlib --show-bin-path)
}

# json_value FILE NAME…: the member at that path of a JSON file (`-` reads standard input).
json_value() {
  local file=$1
  shift
  python3 -c '
import json, sys
value = json.load(sys.stdin if sys.argv[1] == "-" else open(sys.argv[1], encoding="utf-8"))
for name in sys.argv[2:]:
    value = value[name]
print(value)' "$file" "$@"
}
