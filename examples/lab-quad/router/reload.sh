# Made by anvil-gen from hosts/lab-quad.toml. Edit that file, then run:
#   anvil-gen render hosts/lab-quad.toml
#
# Keeps the router at these files without a restart; it runs next to the router, in its network. ROUTER_FILE_* and
# ROUTER_TIER_* have the digests of what has to be in use, and /health names those of what is.
#   reload.sh        reload the router where it runs others, then watch it
#   reload.sh check  tell whether it runs these, and has looked for its tiers
#   reload.sh start  be the router, at first in the default mode
# The router reads the configuration that a link names, so that another mode is a reload too. Both containers see it.
link=/dev/shm/haproxy.cfg
set -u

ask() {
  { printf 'GET /health HTTP/1.0\r\n\r\n' >&3 && health=$(cat <&3); } 3<>/dev/tcp/127.0.0.1/64002
}

is_current() {
  ask || return
  others=$health
  for name in "${!ROUTER_FILE_@}" "${!ROUTER_TIER_@}"; do
    [[ $health == *"\"$name\": \"${!name}\""* ]] || return
    others=${others/"\"$name\""/}
  done
  [[ $others != *ROUTER_* ]]
}

# A command for HAProxy's master, which only this network's own loopback reaches.
master() {
  { printf '%s\n' "$1" >&3 && cat <&3; } 3<>/dev/tcp/127.0.0.1/64001
}

reload() {
  # The next process begins with the tiers' addresses and states of this one, or its first requests would find none. One that
  # is too busy to tell them would not hand over its sockets either: it gets ten seconds.
  for _ in {1..20}; do
    state=$(master '@1 show servers state;quit')
    [[ $state == 1*srv_addr* ]] && printf '%s\n' "$state" >/dev/shm/servers && break
    sleep 0.5
  done
  before=$(readlink "$link")
  ln -sfn "/etc/router/$CONFIGURATION" "$link"
  answer=$(master reload)
  printf '%s\n' "$answer"
  [[ $answer == Success=1* ]] || ln -sfn "$before" "$link"
  [[ $answer == Success=1* ]] && is_current
}

if [ "${1-}" = start ]; then
  ln -sfn /etc/router/haproxy.cfg "$link"
  exec haproxy -W -db -S 127.0.0.1:64001 -f "$link"
fi

if [ "${1-}" = check ]; then
  is_current && [[ $health == HTTP/???' 200 '* ]]
  exit
fi
until ask 2>/dev/null; do
  [ "$SECONDS" -lt 30 ] || exit 1
  sleep 0.2
done
is_current || reload || exit 1
# A router that starts again has another network: this ends, and Docker starts it in that one.
while ask 2>/dev/null; do
  sleep 2
done
exit 1
